"""What a task looks for as a whole, whether or not it found any."""

from __future__ import annotations

from typing import NamedTuple

from inference.codes import ABNORMAL_STRUCTURE, NEOPLASM, Code
from inference.findings import Result
from inference.tasks import TASKS


class Sought(NamedTuple):
    """What a task looks for as a whole, so that "none" says none of what and where."""

    type: Code
    region: Code | None


def sought(result: Result) -> Sought:
    """The lesion of the task's card; regions of several types together are a neoplasm."""
    card = TASKS.get(result.task)
    structures = card.structures if card else tuple(f.structure for f in result.findings)
    lesions = [s for s in structures if s.category == ABNORMAL_STRUCTURE]
    types = {s.type for s in lesions}
    regions = [s.region for s in lesions if s.region]
    return Sought(types.pop() if len(types) == 1 else NEOPLASM, regions[0] if regions else None)
