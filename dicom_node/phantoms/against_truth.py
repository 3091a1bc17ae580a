"""A delivered SEG beside what its phantom was drawn with: Dice and volumes, region by region."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dicom_node.objects.readback import read_labels
from inference.evaluation.metrics import dice
from inference.phantom import PhantomCase
from inference.tasks import TASKS
from inference.tasks.card import TaskCard


class Score(NamedTuple):
    """One region: Dice 0..1, and its volume beside the true one, in ml."""

    region: str
    dice: float
    found_ml: float
    true_ml: float


def labels_in(segs: Sequence[Path], case: PhantomCase) -> NDArray[np.uint8]:
    """Labels (z, y, x) on the phantom's grid, of one SEG or of several that share the segments.

    ValueError where a frame lies on no slice of the grid, KeyError where a segment is of no type of the task.
    """
    labels = np.zeros(case.grid.shape, dtype=np.uint8)
    for seg in segs:
        np.maximum(labels, read_labels(seg, case.grid, TASKS[case.task].structures), out=labels)
    return labels


def scores(labels: NDArray[np.uint8], case: PhantomCase) -> list[Score]:
    """How well `labels` agree with the phantom's truth, in each region of the task."""
    voxel_ml = case.grid.voxel_ml
    found = []
    for name, members in regions_of(TASKS[case.task]):
        mask, true = np.isin(labels, members), np.isin(case.truth, members)
        volumes = (float(np.count_nonzero(one)) * voxel_ml for one in (mask, true))
        found.append(Score(name, dice(mask, true), *volumes))
    return found


def regions_of(card: TaskCard) -> list[tuple[str, tuple[int, ...]]]:
    """Unions where the task names them, else each structure."""
    return list(card.totals) or [(s.name, (s.label,)) for s in card.structures]
