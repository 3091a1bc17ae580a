"""Reliability bins worked by hand, and against MONAI's."""

from __future__ import annotations

import numpy as np
import pytest

from inference.errors import Unscorable
from inference.evaluation.calibration import ReliabilityCounter, reliability


def test_bins_error_and_brier_by_hand():
    chances = np.array([0.1, 0.3, 0.6, 0.6, 0.9, 1.0])
    truth = np.array([0, 1, 1, 0, 1, 1], bool)
    got = reliability("nodule", chances, truth, bins=2)
    low, high = got.bins
    assert (low.voxels, low.mean_probability, low.share_true) == (2, pytest.approx(0.2), 0.5)
    assert (high.voxels, high.mean_probability, high.share_true) == (4, pytest.approx(0.775), 0.75)
    assert got.ece == pytest.approx((2 * 0.3 + 4 * 0.025) / 6)
    assert got.brier == pytest.approx(np.mean((chances - truth) ** 2))
    assert (got.region, got.voxels) == ("nodule", 6)


def test_the_bins_are_monais():
    import torch
    from monai.metrics import calibration_binning

    rng = np.random.default_rng(0)
    chances = rng.random((3, 4, 5))
    truth = rng.random((3, 4, 5)) < chances
    said, true, counts = (t[0, 0].numpy() for t in calibration_binning(
        torch.from_numpy(chances)[None, None], torch.from_numpy(truth)[None, None].float(), num_bins=10))
    got = reliability("r", chances, truth, bins=10)
    assert [b.voxels for b in got.bins] == counts.tolist()
    assert [b.mean_probability for b in got.bins if b.voxels] == pytest.approx(said[counts > 0], rel=1e-5)
    assert [b.share_true for b in got.bins if b.voxels] == pytest.approx(true[counts > 0], rel=1e-5)


def test_who_says_how_often_is_calibrated_and_who_is_always_sure_is_not():
    rng = np.random.default_rng(1)
    chances = rng.random(20_000)
    truth = rng.random(20_000) < chances
    assert reliability("r", chances, truth).ece < 0.02
    assert reliability("r", (chances > 0.5).astype(float), truth).ece > 0.2


def test_cases_add_up_and_background_can_be_left_out():
    counter, rng = ReliabilityCounter(), np.random.default_rng(2)
    chances, truth = rng.random((2, 3, 4)), rng.random((2, 3, 4)) < 0.5
    where = np.arange(4)[None, None] * np.ones((2, 3, 1)) < 2
    counter.add(chances, truth, where)
    counter.add(chances.astype(np.float16), truth)
    assert counter.result("r").voxels == 12 + 24
    assert reliability("r", np.zeros(5), np.zeros(5, bool)).bins[3].mean_probability is None


def test_groups_of_voxels_count_as_their_voxels_do():
    apart, together = ReliabilityCounter(), ReliabilityCounter()
    apart.add(np.array([0.2, 0.2, 0.2, 0.9]), np.array([True, False, False, True]))
    together.add_groups(np.array([0.2, 0.9]), np.array([1.0, 1.0]), np.array([3.0, 1.0]))
    groups, voxels = together.result("r"), apart.result("r")
    assert [b.voxels for b in groups.bins] == [b.voxels for b in voxels.bins]
    assert (groups.ece, groups.brier) == (pytest.approx(voxels.ece), pytest.approx(voxels.brier))


def test_a_large_case_is_counted_in_parts(monkeypatch):
    rng = np.random.default_rng(3)
    chances, truth = rng.random(100), rng.random(100) < 0.5
    whole = reliability("r", chances, truth)
    monkeypatch.setattr("inference.evaluation.calibration._AT_ONCE", 7)
    parts = reliability("r", chances, truth)
    assert [b.voxels for b in parts.bins] == [b.voxels for b in whole.bins]
    assert (parts.ece, parts.brier) == (pytest.approx(whole.ece), pytest.approx(whole.brier))


@pytest.mark.parametrize(("chances", "truth", "word"), [
    (np.array([0.5, 1.5]), np.zeros(2, bool), "sigmoid"),
    (np.array([0.5, np.nan]), np.zeros(2, bool), "0..1"),
    (np.zeros(3), np.zeros(2, bool), "shape"),
    (np.zeros(0), np.zeros(0, bool), "no voxel of r"),
])
def test_what_are_no_probabilities_is_refused(chances, truth, word):
    with pytest.raises(Unscorable, match=word):
        reliability("r", chances, truth)


def test_no_bins_are_refused():
    with pytest.raises(Unscorable, match="0 bins"):
        ReliabilityCounter(0)
