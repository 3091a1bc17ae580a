"""Every object of every task, in every form that a profile may ask for, holds before dciodvfy and dsrdump."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicom_node.objects.checker import dciodvfy
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.encode import Encoded, encode
from dicom_node.objects.profile import Profile
from inference.explain.entropy import with_entropy
from inference.explain.members import in_words
from inference.explain.plausible import with_checks
from inference.findings import Agreement, IntendedUse, ModelIdentity, Result
from inference.measure import measure_findings, measure_totals, with_confidence
from inference.readers.dicom import read_series
from inference.tasks import TASKS
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

GRID = Grid((9, 28, 32), regular_affine((-12.0, -10.0, 400.0), np.eye(3)[:, ::-1], Spacing(3.0, 1.0, 0.8)))
MODEL = ModelIdentity("net", "2.0", "ab" * 32, "Segnode", IntendedUse.DEMONSTRATION)
BESIDE = {
    "fractional": True, "diameters": True, "captures": "key", "presentation_state": True, "key_objects": True,
    "document": True, "structure_set": True, "probability_map": True, "uncertainty_map": True,
}  # fmt: skip
FORMS: dict[str, dict[str, Any]] = {
    "everything": BESIDE,
    "one SEG a segment, enhanced": {"seg_per": "segment", "sr": "enhanced", "library": "all"},
    "comprehensive, empty frames": {"sr": "comprehensive", "empty_frames": True, "character_set": "utf8"},
    "ohif": {"preset": "ohif"},
    "weasis": {"preset": "weasis"},
    "images": {"preset": "images"},
}
KINDS = {
    "everything": {"seg", "sr", "summary", "fractional", "diameters", "capture", "contours", "selection", "document",
                   "structures", "map", "uncertainty"},
    "one SEG a segment, enhanced": {"seg", "sr", "summary"},
    "comprehensive, empty frames": {"seg", "sr", "summary"},
    "ohif": {"seg", "diameters"},
    "weasis": {"seg", "sr", "summary", "contours", "selection", "document"},
    "images": {"overlay", "document"},
}  # fmt: skip
REPORTS = ("sr", "summary", "diameters", "selection")


@dataclass
class Found:
    """A result of a task and the files behind it."""

    result: Result
    files: dict[str, list[Path]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Found]:
    """`found(task)`: two lesions with every structure of the task, measured as the worker does."""
    made: dict[str, Found] = {}

    def of(task: str) -> Found:
        if task not in made:
            made[task] = _found(task, tmp_path_factory.mktemp(task))
        return made[task]

    return of


def _found(task: str, folder: Path) -> Found:
    card, study = TASKS[task], StudyDetails.of(f"every {task}")
    labels = np.zeros(GRID.shape, np.uint8)
    for number, structure in enumerate(card.structures):  # one within the other, the last innermost
        labels[1 + number : 8 - number, 3 + number : 14 - number, 3 + number : 13 - number] = structure.label
    labels[5:8, 20:25, 20:27] = card.lesions[-1]
    files = {}
    for role in card.roles:
        acquisition = Acquisition.ct(study) if role.modality == "CT" else Acquisition.mr(study, role.name)
        image = Volume((labels * 60.0 + 20.0).astype(np.float32), GRID, role.units)
        files[role.name] = write_series(image, acquisition, folder / role.name)
    volumes = {role: read_series(paths) for role, paths in files.items()}
    primary = volumes[card.primary]
    chances = ((labels > 0) * 0.75).astype(np.float16)
    unsure = (labels > 0).astype(np.float16) / 8
    measured = with_confidence(measure_findings(labels, card.structures, primary, card.regions), chances)
    measured = with_checks(with_entropy(measured, unsure), labels, primary, replace(card, organ=None))
    np.save(folder / "labels.npy", measured.labelmap)
    np.save(folder / "chances.npy", chances)
    np.save(folder / "unsure.npy", unsure)
    agreement = Agreement(4, {card.structures[-1].name.lower(): 0.5})
    result = Result(
        task, MODEL, primary.grid, card.primary, folder / "labels.npy", measured.findings,
        totals=measure_totals(labels, card.totals, primary.grid), probability=folder / "chances.npy",
        uncertainty=folder / "unsure.npy", agreement=agreement, notes=(*measured.notes, in_words(agreement)),
        sources={role: volume.sources for role, volume in volumes.items()},
    )  # fmt: skip
    return Found(result, files)


def encoded(case: Found, form: str) -> tuple[Encoded, ...]:
    context = EncodeContext(created_at=1_763_900_000.0, profile=Profile.model_validate(FORMS[form]))
    return encode(case.result, "job", case.files, context)


@pytest.mark.peer
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("task", TASKS)
def test_the_checkers_find_no_error(task: str, form: str, found: Any, tool: Any, tmp_path: Path) -> None:
    tool("dciodvfy", "-help", succeeds=False)  # its absence is told, not passed over
    objects = encoded(found(task), form)
    assert {one.kind for one in objects} >= KINDS[form]
    for one in objects:
        dciodvfy(one.part10)  # ResultInvalid where it finds an error
        if one.kind in REPORTS:
            (file := tmp_path / f"{one.sop_instance_uid}.dcm").write_bytes(one.part10)
            tool("dsrdump", file)
