"""What a person changed in a mask: Dice and volume of each structure, lesions added, removed and changed.

A lesion is a connected part (26 neighbours) of the union of both masks' lesions: parts that touch or overlap are one
lesion. What lies in one of the masks only was added or removed; what differs within was changed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.evaluation.metrics import dice
from inference.tasks.card import TaskCard
from inference.tasks.postprocess import bounding_box, components
from inference.volume import Grid

Labels = NDArray[np.uint8]


class Change(StrEnum):
    """What became of a lesion."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True)
class StructureChange:
    """One structure in both masks: their agreement, and both volumes in ml."""

    label: int
    name: str
    dice: float
    found_ml: float
    truth_ml: float


@dataclass(frozen=True)
class Comparison:
    """The structures that either mask has, by label, and how many lesions met which change."""

    structures: tuple[StructureChange, ...]
    lesions: dict[Change, int]


def compare(found: Labels, truth: Labels, card: TaskCard, grid: Grid) -> Comparison:
    """Compare two label maps (z, y, x) of one task on one grid."""
    box = bounding_box((found > 0) | (truth > 0))
    if box is None:
        return Comparison((), _counted(Counter()))
    found, truth = found[box], truth[box]
    pairs = ((s, found == s.label, truth == s.label) for s in card.structures)
    structures = tuple(
        StructureChange(s.label, s.name, dice(a, b), *(float(m.sum()) * grid.voxel_ml for m in (a, b)))
        for s, a, b in pairs
        if a.any() or b.any()
    )
    return Comparison(structures, _lesions(*(np.where(np.isin(m, card.lesions), m, 0) for m in (found, truth))))


def _lesions(found: Labels, truth: Labels) -> dict[Change, int]:
    parts, counts = components((found > 0) | (truth > 0))
    every = np.arange(1, len(counts) + 1)

    def has(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.asarray(ndimage.maximum(mask, parts, every)) > 0 if every.size else np.zeros(0, bool)

    met = zip(has(found > 0), has(truth > 0), has(found != truth), strict=True)
    return _counted(Counter(_change(*one) for one in met))


def _change(in_found: bool, in_truth: bool, differs: bool) -> Change:
    if not in_found:
        return Change.ADDED
    if not in_truth:
        return Change.REMOVED
    return Change.CHANGED if differs else Change.SAME


def _counted(found: Counter[Change]) -> dict[Change, int]:
    return {change: found[change] for change in Change}
