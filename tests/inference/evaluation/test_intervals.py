"""Means with intervals: they hold what they should, come again, and mind what is infinite."""

from __future__ import annotations

import numpy as np
import pytest

from inference.errors import Unscorable
from inference.evaluation.intervals import Resampling, mean_interval, ratio_interval


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_about_19_of_20_intervals_hold_the_true_mean(method):
    rng, held, trials = np.random.default_rng(1), 0, 60
    for _ in range(trials):
        got = mean_interval(rng.normal(0.8, 0.1, 30).tolist(), Resampling(resamples=200, method=method))
        held += got.low <= 0.8 <= got.high
    assert 0.85 <= held / trials <= 1.0


def test_the_interval_is_that_of_the_normal_law_where_there_are_many_cases():
    values = np.random.default_rng(2).normal(0.8, 0.1, 400)
    got = mean_interval(values.tolist())
    error = 1.96 * values.std(ddof=1) / 20
    assert got.mean == pytest.approx(values.mean())
    assert [got.low, got.high] == pytest.approx([got.mean - error, got.mean + error], abs=0.002)


def test_the_same_seed_draws_the_same_and_a_wider_confidence_is_wider():
    values = np.random.default_rng(3).random(25).tolist()
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values) != mean_interval(values, Resampling(seed=1))
    narrow, wide = (mean_interval(values, Resampling(confidence=c)) for c in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_infinite_distances_are_counted_and_left_out_or_penalised():
    values = [2.0, 4.0, float("inf")]
    got = mean_interval(values)
    assert (got.mean, got.n, got.infinite) == (3.0, 2, 1)
    got = mean_interval(values, penalty=374.0)
    assert (got.mean, got.n, got.infinite) == (pytest.approx(380 / 3), 3, 0)


def test_no_case_no_mean_and_one_case_no_interval():
    none, one, all_lost = mean_interval([]), mean_interval([0.5]), mean_interval([float("inf")])
    assert (none.mean, none.n) == (None, 0)
    assert (one.mean, one.low, one.high, one.n) == (0.5, None, None, 1)
    assert (all_lost.mean, all_lost.n, all_lost.infinite) == (None, 0, 1)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_equal_cases_leave_no_doubt(method):
    got = mean_interval([0.5] * 5, Resampling(method=method))
    assert got.low == got.high == 0.5


def test_what_is_no_number_is_refused():
    with pytest.raises(Unscorable, match="not a number"):
        mean_interval([0.5, float("nan")])


def test_a_ratio_is_of_sums_and_not_the_mean_of_ratios():
    got = ratio_interval([1, 9], [1, 99])
    assert got.mean == pytest.approx(10 / 100)
    assert got.low <= got.mean <= got.high
    assert ratio_interval([0, 0], [0, 0]).mean is None
    assert ratio_interval([1], [2]).low is None
    with pytest.raises(Unscorable, match="1 parts and 2 wholes"):
        ratio_interval([1], [2, 3])
