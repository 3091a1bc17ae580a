"""BraTS: four MR series a case, skull-stripped, on one grid of 1 mm, with the glioma's parts as labels.

Two ways of naming files are published, and the name tells how labels are encoded:

    2017 to 2021   CASE_t1, _t1ce, _t2, _flair, _seg        1 necrosis, 2 oedema, 4 enhancing
    2023 on        CASE-t1n, -t1c, -t2w, -t2f, -seg         1 necrosis, 2 oedema, 3 enhancing
    2024, treated  the same, time points from 100 on        … and 4 resection cavity

CASE is BraTS20_Training_001, BraTS2021_00000, BraTS19_CBICA_AAB_1 (its last number is a time point), or
BraTS-GLI-00000-000: patient, then time point; BraTS-SSA and our own export (Segnode-00000-000) are named alike, but a
table says whose the cases of that are (`exported.py`). A resection cavity is no tumour and becomes background, as the
challenge's whole tumour leaves it out; a note says so. The other challenges of 2023 on (MEN, MET, PED, GoAT) are
refused: other tumours, and labels that mean other things. Releases until 2021 each name the same patients differently,
so a folder holds one release, or names of 2023 on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from inference.errors import BadCase, WrongFolder
from inference.tasks import BRAIN_TUMOUR
from inference.tasks.brain_tumour import ENHANCING, NECROTIC_CORE, OEDEMA
from inference.training.datasets.base import CaseRef, DataSet, LabelledCase
from inference.training.datasets.checks import labels_from, labels_on, one_grid, read_images, read_volume
from inference.training.datasets.exported import exported_patients
from inference.training.datasets.files import check_once, files_under, wrong_folder

CAVITY = 4
FIRST_TREATED = 100  # time points of cases after treatment
TRUTH = "truth"

_OLD = re.compile(r"(?i)(?P<case>(?P<release>brats\d{2,4})_\w+)_(?P<ending>t1|t1ce|t2|flair|seg)\.nii(\.gz)?")
_NEW = re.compile(r"(?P<case>(BraTS-(GLI|SSA)|Segnode)-\d{5}-\d{3})-(?P<ending>t1n|t1c|t2w|t2f|seg)\.nii(\.gz)?")
_OURS = re.compile(r"Segnode-(\d{5})-000")
_OTHER_CHALLENGE = re.compile(r"(BraTS-(?!GLI|SSA)[A-Za-z]+)-[\d-]+-(t1n|t1c|t2w|t2f|seg)\.nii(\.gz)?")
_WITH_TIME_POINT = re.compile(r"(?i)(brats1[789]_\w+)_\d+")
_MISNAMED_TRUTH = re.compile(r".+_Segm\.nii(\.gz)?")  # of BraTS20_Training_355, as it is published

_ROLES = {"t1": "T1", "t1ce": "T1ce", "t2": "T2", "flair": "FLAIR", "seg": TRUTH,
          "t1n": "T1", "t1c": "T1ce", "t2w": "T2", "t2f": "FLAIR"}  # fmt: skip
_OLD_NAMES = {"T1": "_t1", "T1ce": "_t1ce", "T2": "_t2", "FLAIR": "_flair", TRUTH: "_seg"}
_NEW_NAMES = {"T1": "-t1n", "T1ce": "-t1c", "T2": "-t2w", "FLAIR": "-t2f", TRUTH: "-seg"}

_OLD_LABELS = {1: NECROTIC_CORE, 2: OEDEMA, 4: ENHANCING}
_NEW_LABELS = {1: NECROTIC_CORE, 2: OEDEMA, 3: ENHANCING}
_TREATED_LABELS = {**_NEW_LABELS, CAVITY: 0}


@dataclass
class _Found:
    """A case's files while the folder is looked through."""

    release: str  # BraTS20, BraTS2021… or "2023 on"
    files: dict[str, Path] = field(default_factory=dict)


class Brats(DataSet):
    """BraTS in `folder`, whichever release; the files may lie in folders of their own or together."""

    layout = "BraTS"
    card = BRAIN_TUMOUR

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def cases(self) -> list[CaseRef]:
        files = files_under(self.folder)
        found = self._sorted(files)
        if not found:
            raise wrong_folder(self.folder, self.layout, "CASE_t1ce.nii.gz with _seg (2017 to 2021) or "
                               "CASE-t1c.nii.gz with -seg (2023 on)", files)  # fmt: skip
        releases = sorted({case.release for case in found.values()})
        if len(releases) > 1:
            raise WrongFolder(f"{self.folder} holds {len(releases)} releases of BraTS ({', '.join(releases)}), which "
                              "name the same patients differently; name the folder of one of them.")
        patients = exported_patients(files)
        return [_ref(case_id, case, patients) for case_id, case in sorted(found.items())]

    def read(self, ref: CaseRef) -> LabelledCase:
        names = _NEW_NAMES if _is_new(ref.case_id) else _OLD_NAMES
        if ref.truth is None:
            raise BadCase(ref.case_id, f"its truth {ref.case_id}{names[TRUTH]} is missing; sets for validation have "
                                       "none.")  # fmt: skip
        volumes = read_images(self.card, ref, {role: f"{ref.case_id}{end}" for role, end in names.items()})
        one_grid(volumes, ref, self.card.primary)
        stored = read_volume(ref.truth, ref.case_id, "signal")
        array = labels_on(stored, volumes[self.card.primary].grid, ref.truth, ref.case_id)
        truth = labels_from(array, _encoding(ref.case_id), ref.truth, ref.case_id)
        cavity = int(np.count_nonzero(array)) - int(np.count_nonzero(truth))
        if not truth.any() and not cavity:
            raise BadCase(ref.case_id, f"{ref.truth.name} is empty.")
        notes = (f"{cavity} voxels of a resection cavity (label 4) are background.",) if cavity else ()
        return LabelledCase(ref.case_id, ref.patient_id, self.card, volumes, truth, registered=True, notes=notes)

    def _sorted(self, files: list[Path]) -> dict[str, _Found]:
        """The files of every case by role."""
        found: dict[str, _Found] = {}
        for path, match in self._matching(files):
            case = found.setdefault(match["case"], _Found(match.groupdict().get("release") or "2023 on"))
            role = _ROLES[match["ending"].lower()]
            check_once(self.layout, self.folder, case.files.get(role), path)
            case.files[role] = path
        for path in files:
            if _MISNAMED_TRUTH.fullmatch(path.name) and path.parent.name in found:
                found[path.parent.name].files.setdefault(TRUTH, path)
        return found

    def _matching(self, files: list[Path]) -> Iterator[tuple[Path, re.Match[str]]]:
        for path in files:
            if other := _OTHER_CHALLENGE.fullmatch(path.name):
                raise WrongFolder(f"{self.folder} holds {path.name}: {other[1]} is a challenge of other tumours, whose "
                                  "labels mean other things; BraTS-GLI and BraTS-SSA are read.")
            match = _OLD.fullmatch(path.name) or _NEW.fullmatch(path.name)
            if match:
                yield path, match


def _ref(case_id: str, case: _Found, exported: Mapping[int, str]) -> CaseRef:
    images = {role: path for role, path in case.files.items() if role != TRUTH}
    return CaseRef(case_id, _patient(case_id, exported), images, case.files.get(TRUTH))


def _patient(case_id: str, exported: Mapping[int, str]) -> str:
    """Whom a case shows: its name without the time point, or who our own export says."""
    if (ours := _OURS.fullmatch(case_id)) and int(ours[1]) in exported:
        return exported[int(ours[1])]
    if _is_new(case_id):
        return case_id.rsplit("-", 1)[0]
    dated = _WITH_TIME_POINT.fullmatch(case_id)
    return dated[1] if dated else case_id


def _encoding(case_id: str) -> Mapping[int, int]:
    """What the labels of a case mean, by its name."""
    if not _is_new(case_id):
        return _OLD_LABELS
    return _TREATED_LABELS if int(case_id.rsplit("-", 1)[1]) >= FIRST_TREATED else _NEW_LABELS


def _is_new(case_id: str) -> bool:
    return "-" in case_id
