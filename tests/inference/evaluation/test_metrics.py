"""Numbers that compare a mask with the truth."""

import numpy as np
import pytest

from inference.evaluation.metrics import dice, volume_error


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
