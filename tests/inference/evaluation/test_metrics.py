"""Numbers that compare a mask with the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inference.evaluation.metrics import dice, f1, iou, precision, recall, volume_error


def mask(*bits):
    return np.array(bits, dtype=bool)


@pytest.mark.parametrize(("found", "truth", "expected"), [
    (mask(1, 1, 0, 0), mask(1, 1, 0, 0), 1.0),
    (mask(1, 1, 0, 0), mask(0, 1, 1, 0), 0.5),
    (mask(1, 0, 0, 0), mask(0, 1, 0, 0), 0.0),
    (mask(0, 0, 0, 0), mask(1, 0, 0, 0), 0.0),
    (mask(0, 0, 0, 0), mask(0, 0, 0, 0), 1.0),
])
def test_dice(found, truth, expected):
    assert dice(found, truth) == expected


@pytest.mark.parametrize(("found", "truth", "expected"), [
    (mask(1, 1, 1, 0), mask(1, 1, 0, 0), 0.5),
    (mask(1, 0, 0, 0), mask(0, 1, 1, 0), -0.5),
    (mask(0, 0, 0, 0), mask(0, 0, 0, 0), 0.0),
    (mask(1, 0, 0, 0), mask(0, 0, 0, 0), np.inf),
])
def test_volume_error(found, truth, expected):
    assert volume_error(found, truth) == expected


@pytest.mark.parametrize(("measure", "expected"), [(iou, 1 / 4), (precision, 1 / 3), (recall, 1 / 2), (f1, 2 / 5)])
def test_shares_by_hand(measure, expected):
    assert measure(mask(1, 1, 1, 0), mask(0, 0, 1, 1)) == pytest.approx(expected)


@pytest.mark.parametrize("measure", [dice, iou, precision, recall, f1])
def test_empty_masks_agree_wholly_with_each_other_and_not_at_all_with_others(measure):
    assert measure(mask(0, 0), mask(0, 0)) == 1.0
    assert measure(mask(1, 0), mask(0, 0)) == 0.0
    assert measure(mask(0, 0), mask(1, 0)) == 0.0


@given(arrays.arrays(bool, (2, 3, 4)), arrays.arrays(bool, (2, 3, 4)))
def test_every_share_is_what_sets_of_voxels_say(found, truth):
    a, b = ({tuple(v) for v in np.argwhere(m)} for m in (found, truth))
    if not a | b:
        return
    assert iou(found, truth) == pytest.approx(len(a & b) / len(a | b))
    assert precision(found, truth) == pytest.approx(len(a & b) / len(a) if a else 0)
    assert recall(found, truth) == pytest.approx(len(a & b) / len(b) if b else 0)
    assert f1(found, truth) == pytest.approx(dice(found, truth))
    assert iou(found, truth) == pytest.approx(dice(found, truth) / (2 - dice(found, truth)))


@given(st.integers(0, 20), st.integers(0, 20))
def test_the_sign_of_a_volume_error_says_too_much_or_too_little(found, true):
    assert np.sign(volume_error(np.arange(20) < found, np.arange(20) < true)) == np.sign(found - true)
