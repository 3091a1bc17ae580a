"""The numbers that matching goes by."""

from dataclasses import replace

import pytest

from inference import codes
from inference.followup.pairing import Pair, pairs_near

A = (60.0, 50.0, 50.0)
GOOD = Pair("A", "1", distance_mm=1.0, overlap=0.9, dice=0.8, volume_ratio=1.2, residual_mm=0.5, cost=0.2)


def test_overlap_of_the_smaller_one_and_dice(balls, laid):
    (pair,) = pairs_near(balls({"A": (A, 10)}), balls({"1": (A, 5)}), laid())
    assert pair.overlap == pytest.approx(1.0, abs=0.03)
    assert pair.dice == pytest.approx(2 / (1 + 8), abs=0.02)
    assert pair.volume_ratio == pytest.approx(1 / 8, abs=0.01)


def test_half_overlap(balls, laid):
    (pair,) = pairs_near(balls({"A": (A, 10)}), balls({"1": ((67.0, 50.0, 50.0), 10)}), laid())
    expected = (1 - 7 / 20) ** 2 * (1 + 7 / 40)  # of two balls 7 mm apart
    assert pair.distance_mm == pytest.approx(7.0)
    assert pair.dice == pytest.approx(expected, abs=0.02)
    assert pair.overlap == pytest.approx(expected, abs=0.02)


def test_growth_costs_less_than_distance(balls, laid):
    def cost(centre, radius):
        return pairs_near(balls({"A": (A, 8)}), balls({"1": (centre, radius)}), laid())[0].cost

    assert cost(A, 8) == pytest.approx(0, abs=1e-6)
    assert cost(A, 8) < cost(A, 11) < cost((66.0, 50.0, 50.0), 8) < cost((70.0, 50.0, 50.0), 8)


def test_only_what_lies_near_and_is_of_one_type(balls, laid):
    before = balls({"A": (A, 5), "B": ((100.0, 80.0, 50.0), 5)})
    assert [pair.prior for pair in pairs_near(before, balls({"1": (A, 5)}), laid())] == ["A"]
    assert pairs_near(before, balls({"1": (A, 5)}, kind=codes.NEOPLASM), laid()) == []
    assert pairs_near(before, (), laid()) == pairs_near((), before, laid()) == []


def test_what_the_blocks_say_around_it_is_written_down(balls, laid):
    (pair,) = pairs_near(balls({"A": (A, 8)}), balls({"1": (A, 8)}), laid(residual_mm=2.5))
    assert pair.residual_mm == 2.5


@pytest.mark.parametrize(("changes", "objection"), [
    ({}, ""),
    ({"overlap": 0.1, "distance_mm": 3.9}, ""),
    ({"overlap": 0.1, "distance_mm": 4.1}, "hardly overlaps"),
    ({"volume_ratio": 10.5}, "10 times the volume"),
    ({"volume_ratio": 0.09}, "0.09 times the volume"),
    ({"residual_mm": 6.5}, "apart around it"),
])
def test_every_gate_says_why(changes, objection):
    found = replace(GOOD, **changes).objection
    assert objection in found
    assert bool(found) == bool(objection)
