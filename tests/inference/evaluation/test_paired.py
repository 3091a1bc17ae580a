"""Two models on the same cases, and many comparisons at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from inference.errors import Unscorable
from inference.evaluation.paired import average_seeds, holm, paired_difference

CASES = [f"case {n}" for n in range(20)]


def scores(offset: float = 0.0, seed: int = 0, noise: float = 0.0) -> dict[str, float]:
    """Cases differ much; models by `offset` and a little noise."""
    hard = np.random.default_rng(99).uniform(0.3, 0.9, len(CASES))
    return dict(zip(CASES, hard + offset + noise * np.random.default_rng(seed).normal(size=len(CASES)), strict=True))


def test_a_small_steady_gain_shows_although_cases_differ_much():
    got = paired_difference(scores(0.02, 1, 0.01), scores(0.0, 2, 0.01))
    assert got.mean == pytest.approx(0.02, abs=0.01)
    assert 0 < got.low < got.mean < got.high
    assert got.p < 0.01
    assert (got.n, got.unpaired) == (20, 0)


def test_luck_is_told_as_luck():
    got = paired_difference(scores(0.0, 1, 0.05), scores(0.0, 2, 0.05))
    assert got.low < 0 < got.high
    assert got.p > 0.05


def test_p_of_five_equal_signs_is_two_of_all_32_ways_to_sign_them():
    steps = (0.1, 0.2, 0.3, 0.4, 0.5)
    ranks = sum(range(1, 6))
    ways = [sum(r for r, s in zip(range(1, 6), signs, strict=True) if s) for signs in
            itertools.product((0, 1), repeat=5)]
    expected = 2 * np.mean([way >= ranks for way in ways])
    got = paired_difference({str(s): 1 + s for s in steps}, {str(s): 1.0 for s in steps})
    assert got.p == pytest.approx(expected)


def test_a_model_does_not_differ_from_itself():
    got = paired_difference(scores(), scores())
    assert (got.mean, got.low, got.high, got.p) == (0.0, 0.0, 0.0, 1.0)


def test_only_cases_that_both_have_a_value_of_are_compared_and_the_others_counted():
    model = {"a": 1.0, "b": 2.0, "c": float("inf"), "d": 3.0}
    got = paired_difference(model, {"a": 0.5, "b": 1.0, "c": 1.0, "e": 1.0})
    assert (got.n, got.mean, got.unpaired) == (2, 0.75, 3)
    with pytest.raises(Unscorable, match="no case in common"):
        paired_difference({"a": 1.0}, {"b": 1.0})


def test_holm_by_hand():
    """0.01 × 4, then 0.02 × 3, then 0.03 × 2, then 0.5; never less than the one before."""
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.4, 0.6]) == pytest.approx([0.8, 0.8])
    assert holm([0.9, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_several_seeds_are_one_value_a_case():
    got = average_seeds([{"a": 0.2, "b": 0.4}, {"b": 0.6, "a": 0.4}])
    assert got == {"a": pytest.approx(0.3), "b": pytest.approx(0.5)}


def test_seeds_on_other_cases_are_refused():
    with pytest.raises(Unscorable, match=r"training 2 .*\(c is in one only\)"):
        average_seeds([{"a": 0.2}, {"a": 0.2, "c": 0.1}])
    with pytest.raises(Unscorable, match="no training"):
        average_seeds([])
