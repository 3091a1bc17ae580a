"""LiTS: abdominal CTs with liver (1) and tumour (2), which are the labels of the task.

Accepted, anywhere below the folder (Training Batch 1 and 2, or one folder):

    volume-N.nii, volume-N.nii.gz             the CT as it is published
    volume-N/                                 the same as one DICOM series, whatever its files are called
    segmentation-N.nii, segmentation-N.nii.gz the truth as it is published
    segmentation-N.dcm                        the truth as DICOM SEG, segments told apart by their codes

Each N is a patient: the data set names no others, but our own export does (`exported.py`). What its headers say of
orientation is not to be relied on, so that only the agreement of image and truth is checked. Twenty volumes from 28 on
are published with an identity affine instead of their own; a note says so, for their lengths in mm and volumes in ml
mean little. A few about number 50 tell where they lie and their truths do not, which have the identity instead,
moved by a voxel: those lie on their images voxel by voxel, in the order of the files; a note says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadCase, Unfit
from inference.readers.dicom_seg import read_labels
from inference.tasks import LIVER_TUMOUR
from inference.tasks.liver_tumour import LIVER, TUMOUR
from inference.training.datasets.base import CaseRef, DataSet, LabelledCase
from inference.training.datasets.checks import labels_from, labels_on, read_images, read_volume
from inference.training.datasets.exported import exported_patients
from inference.training.datasets.files import check_once, files_under, wrong_folder
from inference.volume import Grid, Volume

_VOLUME = re.compile(r"volume-(\d+)\.nii(\.gz)?")
_SERIES = re.compile(r"volume-(\d+)")
_TRUTH = re.compile(r"segmentation-(\d+)\.(nii|nii\.gz|dcm)")
_LABELS = {LIVER: LIVER, TUMOUR: TUMOUR}
_IDENTITY = np.array([[0, 0, -1], [0, -1, 0], [1, 0, 0]])  # NIfTI's, whose x and y run against LPS; columns z, y, x

UNKNOWN_SPACING = "Its header says voxels of 1 x 1 x 1 mm, as LiTS has it where it does not tell their true size."
NO_PLACE = ("The header of its truth does not say where it lies, as LiTS has it of a few: its voxels are the image's "
            "in the order of the files.")


@dataclass
class _Found:
    """A case's files while the folder is looked through."""

    image: Path | None = None
    truth: Path | None = None


class Lits(DataSet):
    """LiTS in `folder`."""

    layout = "LiTS"
    card = LIVER_TUMOUR

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def cases(self) -> list[CaseRef]:
        files = files_under(self.folder)
        found: dict[int, _Found] = {}
        for path in files:
            self._file(path, found)
        if not found:
            raise wrong_folder(self.folder, self.layout, "volume-N.nii (or a folder volume-N with a DICOM series) with "
                               "segmentation-N.nii", files)  # fmt: skip
        patients = exported_patients(files)
        return [CaseRef(f"volume-{n}", patients.get(n, f"volume-{n}"), {"CT": case.image} if case.image else {},
                        case.truth) for n, case in sorted(found.items())]

    def read(self, ref: CaseRef) -> LabelledCase:
        number = ref.case_id.rsplit("-", 1)[1]
        if ref.truth is None:
            raise BadCase(ref.case_id, f"its truth segmentation-{number}.nii is missing.")
        volumes = read_images(self.card, ref, {"CT": f"volume-{number}.nii"})
        truth, notes = self._truth(ref.truth, ref, volumes["CT"])
        if not truth.any():
            raise BadCase(ref.case_id, f"{ref.truth.name} is empty: every case shows a liver.")
        if _spacing_unknown(volumes["CT"].grid):
            notes.append(UNKNOWN_SPACING)
        return LabelledCase(ref.case_id, ref.patient_id, self.card, volumes, truth, registered=True, notes=tuple(notes))

    def _truth(self, path: Path, ref: CaseRef, image: Volume) -> tuple[NDArray[np.uint8], list[str]]:
        """The truth in `path` on its image, and what to mind of it."""
        notes: list[str] = []
        if path.suffix == ".dcm":
            try:
                return read_labels(path, image, self.card), notes
            except Unfit as fault:
                raise BadCase(ref.case_id, f"{path.name}: {fault}") from fault
        stored = read_volume(path, ref.case_id, "signal")
        if _tells_no_place(stored.grid, image.grid) and ref.images["CT"].is_file():
            stored = read_volume(path, ref.case_id, "signal", placed_as=ref.images["CT"])
            notes.append(NO_PLACE)
        return labels_from(labels_on(stored, image.grid, path, ref.case_id), _LABELS, path, ref.case_id), notes

    def _file(self, path: Path, found: dict[int, _Found]) -> None:
        """Sort one file into its case, if it belongs to any."""
        if match := _TRUTH.fullmatch(path.name):
            case = found.setdefault(int(match[1]), _Found())
            check_once(self.layout, self.folder, case.truth, path)
            case.truth = path
            return
        match = _VOLUME.fullmatch(path.name)
        if match is None and (match := _SERIES.fullmatch(path.parent.name)):
            path = path.parent
        if match:
            case = found.setdefault(int(match[1]), _Found())
            check_once(self.layout, self.folder, case.image, path)
            case.image = path


def _spacing_unknown(grid: Grid) -> bool:
    return bool(np.allclose(grid.spacing, 1.0, atol=1e-6))


def _tells_no_place(truth: Grid, image: Grid) -> bool:
    """Whether a truth's header is an identity, a voxel off at most, and not meant: the image's voxels are no 1 mm."""
    identity = np.allclose(truth.affine[:3, :3], _IDENTITY, atol=1e-6) and np.abs(truth.origin).max() <= 1
    return bool(identity and truth.shape == image.shape and not _spacing_unknown(image))
