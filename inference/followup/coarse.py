"""What registration looks at: a volume on a coarse lattice along LPS, and where it shows the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from inference.fitness import head_mask
from inference.prepare import average_blocks
from inference.tasks.postprocess import largest
from inference.transforms.geometry import canonical, resample, resample_labels
from inference.volume import Grid, Spacing, Volume, regular_affine

STEP_MM = {"HU": 4.0, "signal": 3.0}
WINDOW_HU = (-1000.0, 500.0)  # metal and air outside would take the histogram's bins from the tissues
RIM = 2  # voxels around the patient: the skin's edge is worth more than what it encloses


@dataclass(frozen=True, eq=False)
class Coarse:
    """A volume at `STEP_MM` on axes along LPS; `seen` where it has voxels, `patient` the body with a rim, no couch."""

    array: NDArray[np.float32]
    seen: NDArray[np.bool_]
    patient: NDArray[np.bool_]
    grid: Grid

    def image(self) -> sitk.Image:
        """As SimpleITK wants it."""
        return self._image_of(self.array)

    def mask(self) -> sitk.Image:
        """The patient as SimpleITK wants a mask."""
        return self._image_of(self.patient.astype(np.uint8))

    def mask_seen(self) -> sitk.Image:
        """Where there are voxels, as SimpleITK wants a mask."""
        return self._image_of(self.seen.astype(np.uint8))

    def _image_of(self, array: NDArray[np.generic]) -> sitk.Image:
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.grid.spacing[::-1])
        image.SetOrigin(self.grid.origin.tolist())
        return image


def coarse(volume: Volume, step_mm: float | None = None) -> Coarse:
    """The volume averaged onto its coarse lattice; oblique and leaning slices come out straight."""
    volume = canonical(volume)
    grid = _lattice(volume.grid, step_mm or STEP_MM[volume.units])
    fill = -1024.0 if volume.units == "HU" else 0.0
    array = np.asarray(resample(average_blocks(volume, grid), grid, fill=fill).array, dtype=np.float32)
    whole = np.ones(volume.grid.shape, dtype=np.uint8)
    seen = np.asarray(resample_labels(whole, volume.grid, grid)) > 0
    if volume.units == "HU":
        array = np.clip(array, *WINDOW_HU)
    patient = scipy.ndimage.binary_dilation(_patient(volume, array, grid), iterations=RIM) & seen
    return Coarse(array, seen, patient, grid)


def _patient(volume: Volume, array: NDArray[np.float32], grid: Grid) -> NDArray[np.bool_]:
    if volume.units != "HU":
        head = head_mask(volume)
        return np.asarray(resample_labels(head.array.astype(np.uint8), head.grid, grid)) > 0
    body = largest(scipy.ndimage.binary_opening(array > -300))
    return np.stack([scipy.ndimage.binary_fill_holes(layer) for layer in body])


def _lattice(grid: Grid, step: float) -> Grid:
    ends = [(-0.5, n - 0.5) for n in grid.shape]
    corners = grid.to_lps([[z, y, x] for z in ends[0] for y in ends[1] for x in ends[2]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    count = np.maximum(1, np.rint((high - low) / step)).astype(int)
    first = (low + high) / 2 - (count - 1) / 2 * step
    affine = regular_affine(first, np.eye(3)[:, ::-1], Spacing(step, step, step))
    return Grid((int(count[2]), int(count[1]), int(count[0])), affine, grid.frame_of_reference_uid)
