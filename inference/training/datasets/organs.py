"""Scans of a site with the mask of an organ and no lesion marked: lesions are drawn into the organ, and are the truth.

Accepted, anywhere below the folder, each file as .nii.gz, .nii, .mhd or .mha:

    CASE.nii.gz with CASE_ORGAN.nii.gz        the CT and the mask of the organ
    CASE/ct.nii.gz with CASE/ORGAN.nii.gz     the same as TotalSegmentator publishes it and writes it, the mask also
                                              in CASE/segmentations

Any model of organs may have made the masks. A tumour model that learnt from procedural lesions in livers of patients
found real tumours about as well as one that learnt from real ones (Hu et al. 2023, "Label-free liver tumor
segmentation"). Each CASE counts as a patient. A lesion that a scan truly has is taken for healthy tissue: give scans
without.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadCase
from inference.tasks.card import TaskCard
from inference.training import implants
from inference.training.datasets.base import CaseRef, DataSet, LabelledCase, digest_files
from inference.training.datasets.checks import labels_on, read_images, read_volume
from inference.training.datasets.files import check_once, files_under, wrong_folder
from inference.training.implants import ImplantSettings, implant_many
from inference.volume import Grid, Volume

IMAGE = "ct"  # the CT's name in a folder of its own
MASKS = "segmentations"  # the masks' folder in it
ENDINGS = (".nii.gz", ".nii", ".mhd", ".mha")
UNNAMED = 255  # stands for the organ while lesions are drawn, where the task has no label for it


@dataclass(frozen=True)
class Sowing:
    """The lesions of a whole case: what they are like, and how many, from and to, where it gets any (`share`)."""

    lesions: ImplantSettings
    count: tuple[int, int] = (1, 8)


@dataclass
class _Found:
    """A case's files while the folder is looked through."""

    images: dict[str, Path] = field(default_factory=dict)
    truth: Path | None = None


class Organs(DataSet):
    """CTs in `folder` with masks of `organ`, as their files call it; its voxels are `labels`, any but 0 where none.

    The lesions of a case follow from its name and the settings, so that it is the same whenever it is read.
    """

    layout = "procedural lesions in CTs with organ masks"

    def __init__(self, folder: Path, card: TaskCard, sowing: Sowing, organ: str, labels: tuple[int, ...] = ()) -> None:
        self.folder = folder
        self.card = card
        self.sowing = sowing
        self.organ = organ
        self.labels = labels

    def cases(self) -> list[CaseRef]:
        files = files_under(self.folder)
        apart = {path.parent for path in files if _stem(path) == IMAGE}
        found: dict[str, _Found] = {}
        for path in files:
            self._file(path, apart, found)
        if not any(case.truth for case in found.values()):
            wanted = (f"CASE.nii.gz with CASE_{self.organ}.nii.gz, or a folder CASE with {IMAGE}.nii.gz and "
                      f"{self.organ}.nii.gz")
            raise wrong_folder(self.folder, "CTs with organ masks", wanted, files)
        return [CaseRef(name, name, case.images, case.truth) for name, case in sorted(found.items())]

    def read(self, ref: CaseRef) -> LabelledCase:
        if ref.truth is None:
            raise BadCase(ref.case_id, f"the mask of its {self.organ} is missing.")
        volumes = read_images(self.card, ref, {self.card.primary: f"{ref.case_id}.nii.gz"})
        volume = volumes[self.card.primary]
        organ = self._organ(ref.truth, volume.grid, ref.case_id)
        drawn, truth, count = self._drawn(volume, organ, ref.case_id)
        note = f"Its lesions are procedural: {count} were drawn into its {self.organ}."
        return LabelledCase(ref.case_id, ref.patient_id, self.card, {self.card.primary: drawn}, truth, registered=True,
                            notes=(note,))

    def fingerprint(self, ref: CaseRef) -> str:
        """Changes with its files, with the settings of its lesions and with the code that draws them."""
        return digest_files(ref.images, () if ref.truth is None else (ref.truth,), ref.case_id, self.labels,
                            self.sowing.lesions.model_dump_json(), self.sowing.count, _code())

    def _organ(self, path: Path, grid: Grid, case_id: str) -> NDArray[np.bool_]:
        """The organ's voxels on the image's grid."""
        array = labels_on(read_volume(path, case_id, "signal"), grid, path, case_id)
        if not np.isfinite(array).all():
            raise BadCase(case_id, f"{path.name} holds voxels that are no numbers (NaN or infinite).")
        organ = np.isin(array, self.labels) if self.labels else array != 0
        if not organ.any():
            wanted = f"voxel of the labels {', '.join(map(str, self.labels))}" if self.labels else "voxel but 0"
            raise BadCase(case_id, f"{path.name} holds no {wanted}: it shows no {self.organ}.")
        return np.asarray(organ)

    def _drawn(self, volume: Volume, organ: NDArray[np.bool_], case_id: str) -> tuple[Volume, NDArray[np.uint8], int]:
        """The CT with its lesions, the truth in the task's labels, and how many lesions there are."""
        known = self.card.organ.label if self.card.organ else 0
        label = known or UNNAMED
        truth = np.where(organ, label, 0).astype(np.uint8)
        hu = np.array(volume.array, dtype=np.float32)
        rng = np.random.default_rng(list(hashlib.sha256(case_id.encode()).digest()))
        wanted = int(rng.integers(*self.sowing.count, endpoint=True))
        if rng.random() >= self.sowing.lesions.share:
            wanted = 0
        within = self.sowing.lesions.model_copy(update={"within": label})
        count = implant_many(hu, truth, wanted, volume.grid.spacing, within, rng)
        if wanted and not count:
            raise BadCase(case_id, f"no lesion found room in its {self.organ}: look at the mask, and at the sizes and "
                                   "`tissue_hu` of `lesions`.")
        truth[truth == UNNAMED] = 0
        return volume.with_array(hu), truth, count

    def _file(self, path: Path, apart: set[Path], found: dict[str, _Found]) -> None:
        """Sort one file into its case, if it belongs to any; `apart` are the folders of one case each."""
        if (stem := _stem(path)) is None:
            return
        folder = path.parent.parent if path.parent.name == MASKS else path.parent
        if folder in apart:
            name, mask, image = folder.name, stem == self.organ, path.parent == folder and stem == IMAGE
        else:
            name, mask = stem.removesuffix(f"_{self.organ}"), stem.endswith(f"_{self.organ}")
            image = not mask
        case = found.setdefault(name, _Found())
        if mask:
            check_once(self.layout, self.folder, case.truth, path)
            case.truth = path
        elif image:
            check_once(self.layout, self.folder, case.images.get(self.card.primary), path)
            case.images[self.card.primary] = path


def _stem(path: Path) -> str | None:
    """A file's name without its ending; None where it is no image."""
    return next((path.name.removesuffix(ending) for ending in ENDINGS if path.name.endswith(ending)), None)


@cache
def _code() -> str:
    """Changes with the code that draws lesions."""
    return hashlib.sha256(Path(implants.__file__).read_bytes()).hexdigest()
