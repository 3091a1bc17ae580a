"""What lies on an irrelevant finding is taken out of the answer; what meets the truth, or lies beside both, stays."""

from __future__ import annotations

import numpy as np
import pytest

from inference.evaluation.candidates import Nodule
from inference.evaluation.detection import UNSIZED_MM
from inference.evaluation.irrelevant import relevant
from inference.volume import Grid, Spacing, regular_affine

GRID = Grid((10, 20, 20), regular_affine((7, -3, 11), np.eye(3)[:, ::-1], Spacing(2.0, 1.0, 1.0)))


def mask(*boxes: tuple[slice, slice, slice]) -> np.ndarray:
    made = np.zeros(GRID.shape, bool)
    for box in boxes:
        made[box] = True
    return made


def finding(z: float, y: float, x: float, diameter_mm: float) -> Nodule:
    left, back, up = (float(v) for v in GRID.to_lps((z, y, x)))
    return Nodule("scan", (left, back, up), diameter_mm)


SPOT, OTHER = np.s_[2:5, 3:6, 3:6], np.s_[6:8, 14:16, 14:16]
NOTHING = mask()


def test_a_part_on_a_finding_goes_and_others_stay() -> None:
    found = mask(SPOT, OTHER)
    np.testing.assert_array_equal(relevant(found, NOTHING, GRID, [finding(3, 4, 4, 4.0)]), mask(OTHER))
    np.testing.assert_array_equal(found, mask(SPOT, OTHER), "the answer itself is left as it is")


@pytest.mark.parametrize(("off_mm", "diameter_mm", "stays"), [
    (1.9, 4.0, False), (2.1, 4.0, True), (UNSIZED_MM / 2 - 0.1, -1.0, False), (UNSIZED_MM / 2 + 0.1, -1.0, True),
])  # fmt: skip
def test_its_middle_lies_nearer_than_the_radius(off_mm: float, diameter_mm: float, stays: bool) -> None:
    left = relevant(mask(SPOT), NOTHING, GRID, [finding(3, 4, 4 + off_mm, diameter_mm)])
    assert left.any() == stays


def test_a_large_part_that_only_reaches_a_finding_stays() -> None:
    found = mask(np.s_[2:5, 3:6, 3:18])
    np.testing.assert_array_equal(relevant(found, NOTHING, GRID, [finding(3, 4, 4, 4.0)]), found)


def test_what_touches_the_truth_is_judged() -> None:
    found, truth = mask(SPOT), mask(np.s_[4:6, 5:7, 5:7])
    np.testing.assert_array_equal(relevant(found, truth, GRID, [finding(3, 4, 4, 9.0)]), found)


def test_without_findings_or_an_answer_nothing_changes() -> None:
    found = mask(SPOT)
    assert relevant(found, NOTHING, GRID, ()) is found
    assert relevant(NOTHING, NOTHING, GRID, [finding(3, 4, 4, 4.0)]) is NOTHING
