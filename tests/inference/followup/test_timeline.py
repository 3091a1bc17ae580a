"""Time points by tracking UID: who keeps whose, who is new, who is gone."""

from datetime import date

import pytest

from inference.followup.match import Link, Matching, Side, match
from inference.followup.timeline import first, following, growth_of, in_order
from inference.trend import Outcome, TimePoint

JANUARY, APRIL, JULY = date(2026, 1, 1), date(2026, 4, 1), date(2026, 7, 1)
A, B, C = (30.0, 30.0, 50.0), (70.0, 30.0, 50.0), (110.0, 80.0, 40.0)


@pytest.fixture
def chain(balls, ground, laid):
    """Three dates: A grows all along, B is gone in April, C comes in April."""
    january, april, july = balls({"A": (A, 6), "B": (B, 6)}), balls({"a2": (A, 7), "c2": (C, 5)}), balls(
        {"c3": (C, 6), "a3": (A, 8)})
    second = following(APRIL, april, match(Side(january, ground), Side(april, ground), laid()))
    named = balls({"A": (A, 7), "c2": (C, 5)})  # as the archive gives April back
    third = following(JULY, july, match(Side(named, ground), Side(july, ground), laid()))
    return first(JANUARY, january), second, third


def test_tracking_uids_stay(chain):
    assert [sorted(point.seen) for point in chain] == [["A", "B"], ["A", "c2"], ["A", "c2"]]
    assert [point.new for point in chain] == [frozenset(), {"c2"}, frozenset()]
    assert [point.vanished for point in chain] == [frozenset(), {"B"}, frozenset()]


def test_growth_runs_from_date_to_date(chain):
    steps = growth_of("A", chain)
    assert [step.days for step in steps] == [90, 91]
    assert [step.volume.percent for step in steps] == pytest.approx([100 * ((7 / 6) ** 3 - 1),
                                                                     100 * ((8 / 7) ** 3 - 1)], rel=0.1)
    assert len(growth_of("c2", chain)) == 1
    assert growth_of("B", chain) == growth_of("unknown", chain) == ()


def test_a_date_that_does_not_show_a_lesion_is_stepped_over(chain):
    steps = growth_of("A", (chain[0], TimePoint(APRIL), chain[2]))
    assert [step.days for step in steps] == [181]


def test_dates_run_forward(chain):
    with pytest.raises(ValueError, match="order of their dates"):
        in_order(chain[::-1])
    assert in_order([chain[0], chain[0]]) == (chain[0], chain[0])


def test_no_two_lesions_share_a_tracking_uid(balls):
    lesions = balls({"1": (A, 6), "A": (B, 6)})
    matching = Matching((Link(Outcome.MATCHED, ("A",), ("1",)), Link(Outcome.NEW, current=("A",))))
    with pytest.raises(ValueError, match="tracking UID"):
        following(APRIL, lesions, matching)
