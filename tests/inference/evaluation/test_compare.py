"""Comparison of a mask with its correction: numbers that a person can work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from inference.evaluation.compare import Change, compare
from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR
from inference.volume import Grid, Spacing, regular_affine

GRID = Grid((8, 20, 20), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(5.0, 2.0, 1.0)))  # voxels of 0.01 ml


def mask(*boxes: tuple[int, tuple[slice, slice, slice]]) -> np.ndarray:
    labels = np.zeros(GRID.shape, np.uint8)
    for label, box in boxes:
        labels[box] = label
    return labels


def box(z: int, y: int, x: int, size: int = 2) -> tuple[slice, slice, slice]:
    return tuple(slice(start, start + size) for start in (z, y, x))


def lesions(found: np.ndarray, truth: np.ndarray, card=LIVER_TUMOUR) -> dict[Change, int]:
    return {change: n for change, n in compare(found, truth, card, GRID).lesions.items() if n}


def test_dice_and_volumes_by_hand() -> None:
    found, truth = mask((2, box(0, 0, 0)), (1, box(4, 8, 8))), mask((2, box(0, 0, 1)))
    liver, tumour = compare(found, truth, LIVER_TUMOUR, GRID).structures
    assert (liver.name, liver.dice, liver.found_ml, liver.truth_ml) == ("Liver", 0.0, pytest.approx(0.08), 0.0)
    assert (tumour.label, tumour.name, tumour.dice) == (2, "Liver tumour", 2 * 4 / (8 + 8))
    assert tumour.found_ml == tumour.truth_ml == pytest.approx(0.08)


def test_lesions_are_added_removed_changed_or_the_same() -> None:
    kept, moved, gone, new = box(0, 0, 0), box(0, 8, 8), box(5, 0, 0), box(5, 15, 15)
    found = mask((2, kept), (2, moved), (2, gone))
    truth = mask((2, kept), (2, box(0, 9, 8)), (2, new))
    assert lesions(found, truth) == {Change.SAME: 1, Change.CHANGED: 1, Change.REMOVED: 1, Change.ADDED: 1}


def test_parts_that_touch_at_a_corner_are_one_lesion() -> None:
    found, truth = mask((2, box(0, 0, 0))), mask((2, box(2, 2, 2)))
    assert lesions(found, truth) == {Change.CHANGED: 1}
    assert lesions(found, mask((2, box(3, 3, 3)))) == {Change.REMOVED: 1, Change.ADDED: 1}


def test_an_organ_is_no_lesion() -> None:
    assert lesions(mask((1, box(0, 0, 0))), mask((1, box(4, 4, 4)))) == {}


def test_another_label_within_a_lesion_is_a_change() -> None:
    found = mask((2, box(0, 0, 0, 4)), (3, box(1, 1, 1)))
    truth = mask((2, box(0, 0, 0, 4)), (1, box(1, 1, 1)))
    assert lesions(found, found, BRAIN_TUMOUR) == {Change.SAME: 1}
    assert lesions(found, truth, BRAIN_TUMOUR) == {Change.CHANGED: 1}


def test_nothing_is_equal_to_nothing() -> None:
    comparison = compare(mask(), mask(), LIVER_TUMOUR, GRID)
    assert comparison.structures == ()
    assert sum(comparison.lesions.values()) == 0
