"""The procedural patients behind the same seam as real ones: drawn when they are read, from their seed alone."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import inference
from inference.errors import DataError
from inference.phantom import MAKERS, make_case
from inference.tasks import TASKS
from inference.training.cases import REGISTRATION_SLACK_MM
from inference.training.datasets.base import CaseRef, DataSet, LabelledCase, Mark

_DRAWN_BY = ("phantom", "writers/acquisition.py")


class Phantoms(DataSet):
    """Phantoms of `task` with the `count` seeds from `first_seed` on; each is a patient.

    The series lie on each other as after registration, less what registration leaves.
    """

    layout = "phantoms"

    def __init__(self, task: str, first_seed: int, count: int) -> None:
        if task not in MAKERS:
            raise DataError(f"phantoms are drawn for {', '.join(MAKERS)}, not for {task}.")
        self.task = task
        self.card = TASKS[task]
        self.seeds = range(first_seed, first_seed + count)

    def cases(self) -> list[CaseRef]:
        return [CaseRef(f"{self.task}-{seed}", f"{self.task}-{seed}", {}) for seed in self.seeds]

    def read(self, ref: CaseRef) -> LabelledCase:
        case = make_case(self.task, int(ref.case_id.rsplit("-", 1)[1]))
        lesions = tuple(Mark(lesion.centre, lesion.diameter_mm) for lesion in case.lesions)
        return LabelledCase(ref.case_id, ref.patient_id, self.card, case.aligned(REGISTRATION_SLACK_MM), case.truth,
                            lesions, registered=True, notes=("A phantom: no patient was scanned.",))

    def fingerprint(self, ref: CaseRef) -> str:
        """Changes with the seed and with the code that draws."""
        return hashlib.sha256(f"{ref.case_id} {_code()}".encode()).hexdigest()


@cache
def _code() -> str:
    digest = hashlib.sha256()
    root = Path(inference.__file__).parent
    for name in _DRAWN_BY:
        where = root / name
        for path in sorted(where.rglob("*.py")) if where.is_dir() else [where]:
            digest.update(path.read_bytes())
    return digest.hexdigest()
