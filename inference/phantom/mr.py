"""From tissue to MR images: contrast tables, orientation and slice profile, coil shading, noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.shapes import Array, rician, smooth_noise
from inference.volume import Grid, Spacing, regular_affine

# Axis directions (z, y, x as columns) in LPS of the three planes; the slice axis is row × column.
PLANES: Mapping[str, NDArray[np.float64]] = {
    "axial": np.array([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]]),
    "sagittal": np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "coronal": np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]),
}


@dataclass(frozen=True)
class Protocol:
    """How one MR series is laid: plane, spacing, slice thickness and field of view (z, y, x) in mm, tilt in degrees.

    `volumetric` series are 3D acquisitions: thin slices without a gap, no slice profile to blur along.
    """

    plane: str
    spacing: Spacing
    thickness: float
    extent: tuple[float, float, float]
    volumetric: bool
    tilt_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def grid(self, rotation: NDArray[np.float64], frame_of_reference_uid: str) -> Grid:
        """The series' grid in LPS: the plane, tilted by `rotation`, centred on `centre` (x, y, z in LPS mm)."""
        shape = tuple(max(1, round(e / s)) for e, s in zip(self.extent, self.spacing, strict=True))
        directions = rotation @ PLANES[self.plane]
        half = (np.array(shape) - 1) / 2 * np.array(self.spacing)
        origin = np.array(self.centre) - directions @ half
        return Grid((shape[0], shape[1], shape[2]), regular_affine(origin.tolist(), directions, self.spacing),
                    frame_of_reference_uid)


def sample(canvas: Array, canvas_affine: NDArray[np.float64], grid: Grid, thickness: float) -> Array:
    """The canvas' signal on a series' grid, averaged over `thickness` mm along its slices; 0 outside the canvas."""
    to_canvas = np.linalg.inv(canvas_affine) @ grid.affine
    along = int(np.argmax(np.abs(to_canvas[:3, 0])))
    voxel = float(np.linalg.norm(canvas_affine[:3, along]))
    if thickness > 1.5 * voxel:
        canvas = ndimage.uniform_filter1d(canvas, max(2, round(thickness / voxel)), axis=along, mode="constant")
    return np.asarray(ndimage.affine_transform(canvas, to_canvas[:3, :3], to_canvas[:3, 3], grid.shape, order=1,
                                               output=np.float32), dtype=np.float32)


def acquire(signal: Array, spacing: Spacing, rng: np.random.Generator) -> Array:
    """Scanner's part: coil shading, gamma, Rician noise, arbitrary scale; whole numbers as stored pixels are."""
    wavelength = 130 / (sum(spacing) / 3)
    image = signal * np.exp(rng.uniform(0, 0.3) * smooth_noise(signal.shape, wavelength, rng))
    image = np.power(np.clip(image, 0, None), np.float32(np.exp(rng.normal(0, 0.2))))
    image = rician(image, rng.uniform(0.01, 0.05), rng)
    return np.round(image * rng.uniform(200, 1200)).astype(np.float32)
