"""Exactly the voxels of the band, and nothing judged or cleaned."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from inference.backends.threshold import Threshold
from inference.findings import IntendedUse
from inference.tasks import TASKS
from inference.volume import Grid, Volume

CARD = TASKS["liver_tumour"]
VALUES = np.array([[[99, 100, 150], [200, 201, np.nan]]], np.float32)


def segmented(settings: Threshold, values: np.ndarray = VALUES) -> np.ndarray:
    volume = Volume(values, Grid(values.shape, np.eye(4)), "HU")
    return settings.load("cuda:0").segment({"CT": volume}, CARD, lambda *_: None).labels


def test_both_bounds_belong_to_the_band() -> None:
    labels = segmented(Threshold(lower=100, upper=200, label=2))
    assert labels.tolist() == [[[0, 2, 2], [2, 0, 0]]]
    assert labels.dtype == np.uint8


def test_integer_voxels_meet_fractional_bounds() -> None:
    assert segmented(Threshold(lower=1.5, upper=2.5), np.array([[[1, 2, 3]]], np.int16)).tolist() == [[[0, 1, 0]]]


def test_it_is_neither_judged_nor_bound_to_a_device() -> None:
    loaded = Threshold(lower=0, upper=1).load("cuda:0")
    assert (loaded.judged, loaded.device) == (False, "cpu")


def test_its_identity_is_its_settings() -> None:
    identity = Threshold(lower=0, upper=1).identity()
    assert identity == Threshold(lower=0, upper=1).identity()
    assert identity.sha256 != Threshold(lower=0, upper=2).identity().sha256
    assert identity.intended_use is IntendedUse.DEMONSTRATION


def test_bounds_are_in_order() -> None:
    with pytest.raises(ValidationError, match=r"lower 3.0 is above upper 2.0"):
        Threshold(lower=3, upper=2)


@pytest.mark.parametrize("label", [0, 256])
def test_a_label_fits_the_map(label: int) -> None:
    with pytest.raises(ValidationError):
        Threshold(lower=0, upper=1, label=label)
