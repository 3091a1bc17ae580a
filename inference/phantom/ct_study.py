"""A CT phantom's voxels and truth as a case: series attributes as a scanner gives them, and its decoys."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.phantom.case import Decoy, Lesion, PhantomCase
from inference.phantom.ct_canvas import Point
from inference.phantom.ct_scan import Scan, Window, in_position
from inference.volume import Grid, Spacing, Volume
from inference.writers.acquisition import Acquisition, CTTechnique, Patient, StudyDetails, uid_of


class Texts(NamedTuple):
    """What the technician's console writes about a study and its main series."""

    study: str
    series: str
    protocol: str
    body_part: str
    contrast_agent: str


@dataclass(eq=False)
class Truth:
    """A label map in the making, (z, y, x) on the scan's slices for a patient on the back, and its lesions."""

    labels: NDArray[np.uint8]
    lesions: list[Lesion] = field(default_factory=list)

    def mark(self, body: NDArray[np.bool_], window: Window, label: int, centre: Point, spacing: Spacing) -> bool:
        """Labels a lesion's voxels in `window` and keeps its facts; False where no voxel is left to label."""
        labels = self.labels[window]
        fresh = body & (labels != label)
        if not fresh.any():
            return False
        labels[fresh] = label
        volume_ml = float(fresh.sum() * np.prod(spacing)) / 1000
        extents = (np.ptp(np.argwhere(fresh), axis=0) + 1) * np.array(spacing)
        self.lesions.append(Lesion(label, float(extents.max()), volume_ml, (centre.x, centre.y, centre.z)))
        return True


def assemble(task: str, seed: int, scan: Scan, texts: Texts, image: NDArray[np.int16], truth: Truth,
             name: str = "") -> PhantomCase:
    """The finished case; who it is and UIDs follow from seed and task, or from `name` where it is a variant."""
    number = f"{name or texts.body_part[0]}{seed}"
    study = StudyDetails.of(f"{name or task}-{seed}", patient=Patient(f"PHANTOM-{number}", f"Phantom^Trunk{seed}"),
                            accession_number=number, description=texts.study)
    frame = uid_of("frame", study.study_instance_uid)
    volume = Volume(image, scan.grid(frame), "HU")
    position = "HFP" if scan.prone else "HFS"
    acquisition = Acquisition.ct(
        study, series_number=2, series_description=texts.series, protocol_name=texts.protocol,
        body_part=texts.body_part, contrast_agent=texts.contrast_agent, slice_thickness=scan.spacing.z,
        patient_position=position, technique=CTTechnique(kernel=scan.kernel.name))
    reformat = replace(
        acquisition, series_instance_uid=uid_of("series", study.study_instance_uid, "coronal"), series_number=3,
        series_description=f"{texts.series} COR MPR", image_type=("DERIVED", "SECONDARY", "REFORMATTED"),
        slice_thickness=None)
    return PhantomCase(task=task, seed=seed, primary="CT", volumes={"CT": volume},
                       truth=in_position(truth.labels, scan), lesions=tuple(truth.lesions),
                       acquisitions={"CT": acquisition}, decoys=(Decoy(coronal(volume), reformat),))


def coronal(volume: Volume, step_mm: float = 6.0) -> Volume:
    """Coronal reformat of an axial volume: every few rows, head up, voxels square in plane."""
    spacing = volume.grid.spacing
    rows = slice(0, None, max(1, round(step_mm / spacing.y)))
    stretch = spacing.z / spacing.x
    tall = ndimage.zoom(volume.array[::-1, rows].astype(np.float32), (stretch, 1, 1), order=1, grid_mode=True,
                        mode="nearest")
    array = np.rint(tall.transpose(1, 0, 2)).astype(np.int16)
    old = volume.grid.affine
    affine = np.eye(4)
    affine[:3, 0] = old[:3, 1] * rows.step
    affine[:3, 1] = -old[:3, 0] / spacing.z * spacing.x
    affine[:3, 2] = old[:3, 2]
    top = volume.grid.shape[0] - 0.5 - 0.5 / stretch
    affine[:3, 3] = volume.grid.to_lps((top, 0, 0))
    return Volume(array, Grid(array.shape, affine, volume.grid.frame_of_reference_uid), "HU")
