"""Lesions that the prior does not show and an earlier study does: carried from date to date, and known again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from inference import codes
from inference.followup.lost import Lost, carried, found_again, lost_before, not_gone
from inference.followup.match import Link, Matching, Side, match
from inference.followup.timeline import following
from inference.trend import Outcome, Seen, Size, TimePoint
from inference.volume import Grid

A, B = (30.0, 30.0, 50.0), (70.0, 30.0, 50.0)
SEEN = Seen(Size(0.9, 12.0, 12.0), codes.LUNG, "Nodule 4", codes.NODULE)  # as a ball of 6 mm
JANUARY, APRIL = date(2026, 1, 1), date(2026, 4, 1)


@pytest.fixture
def followed(balls: Any, ground: Grid, laid: Any) -> Callable[..., Matching]:
    """`followed(now, *lost)`: what the current balls are beside an empty prior and those lost before it."""

    def run(now: dict[str, tuple], *lost: Lost, shift: Any = (0, 0, 0), kind: Any = codes.NODULE) -> Matching:
        current, registration = balls(now, kind=kind), laid(shift)
        return found_again(match(Side((), ground), Side(current, ground), registration), current, lost, registration)

    return run


def outcomes(matching: Matching) -> set[tuple[Outcome, tuple[str, ...], tuple[str, ...]]]:
    return {(link.outcome, link.prior, link.current) for link in matching.links}


def test_what_lies_where_one_lay_is_that_one_and_keeps_its_name(followed: Any) -> None:
    found = followed({"1": (A, 6), "2": (B, 6)}, Lost("old", SEEN, A))
    assert outcomes(found) == {(Outcome.RETURNED, ("old",), ("1",)), (Outcome.NEW, (), ("2",))}
    assert found.handed_on == {"1": "old"}


def test_it_is_looked_for_where_the_patient_lies_now(followed: Any) -> None:
    moved = tuple(axis + 20 for axis in A)
    there, here = (followed({"1": (place, 6)}, Lost("old", SEEN, A), shift=(20,) * 3) for place in (moved, A))
    assert outcomes(there) == {(Outcome.RETURNED, ("old",), ("1",))}
    assert outcomes(here) == {(Outcome.NEW, (), ("1",))}


@pytest.mark.parametrize(("aside", "outcome"), [(5.0, Outcome.RETURNED), (7.0, Outcome.NEW)])
def test_it_may_lie_as_far_aside_as_it_is_large(followed: Any, aside: float, outcome: Outcome) -> None:
    (link,) = followed({"1": (A, 6)}, Lost("old", SEEN, (A[0] + aside, A[1], A[2]))).links
    assert link.outcome is outcome


def test_another_type_is_another_lesion(followed: Any) -> None:
    assert outcomes(followed({"1": (A, 6)}, Lost("old", SEEN, A), kind=codes.NEOPLASM)) == {(Outcome.NEW, (), ("1",))}


def test_where_two_lay_or_lie_nothing_is_said_for_certain(followed: Any) -> None:
    x, y, z = A
    two_lay = followed({"1": (A, 6)}, Lost("old", SEEN, A), Lost("other", SEEN, (x + 2, y, z)))
    two_lie = followed({"1": (A, 4), "2": ((x + 9, y, z), 4)}, Lost("old", SEEN, (x + 4, y, z)))
    assert outcomes(two_lay) == {(Outcome.UNCERTAIN, (), ("1",))}
    assert outcomes(two_lie) == {(Outcome.UNCERTAIN, (), ("1",)), (Outcome.UNCERTAIN, (), ("2",))}
    assert {link.reason for link in two_lie.links} == {"Nodule 4 lay there before, which the prior does not show"}


def test_one_of_quite_another_size_is_neither_new_nor_the_old_one(followed: Any) -> None:
    small = Seen(Size(0.05, 4.0, 4.0), codes.LUNG, "", codes.NODULE)
    (link,) = followed({"1": (A, 6)}, Lost("old", small, A)).links
    assert link.outcome is Outcome.UNCERTAIN
    assert link.reason == "a lesion lay there before, which the prior does not show"


def test_what_was_matched_is_left_alone(balls: Any, ground: Grid, laid: Any) -> None:
    before, now = balls({"A": (A, 6)}), balls({"1": (A, 6)})
    matching = match(Side(before, ground), Side(now, ground), laid())
    assert found_again(matching, now, [Lost("old", SEEN, A)], laid()) == matching


def test_places_are_carried_until_the_lesion_is_found_again(balls: Any, ground: Grid, laid: Any) -> None:
    shift = (10.0, 0.0, 0.0)
    before, registration = balls({"gone": (B, 6)}), laid(shift)
    lost = (Lost("old", SEEN, A), Lost("back", SEEN, (110.0, 80.0, 40.0)))
    now = balls({"1": ((120.0, 80.0, 40.0), 6)})
    matching = found_again(match(Side(before, ground), Side(now, ground), registration), now, lost, registration)
    places = carried(lost, before, matching, registration)
    assert places == {"old": (40.0, 30.0, 50.0), "gone": pytest.approx((80.0, 30.0, 50.0), abs=0.1)}
    point = following(APRIL, now, matching)
    assert (sorted(point.seen), point.new, point.vanished) == (["back"], frozenset(), {"gone"})


def test_the_last_date_tells_which_are_lost_and_how_they_were_seen_last() -> None:
    grown = Seen(Size(2.0, 16.0, 15.0), codes.LUNG, "Nodule 4", codes.NODULE)
    points = (TimePoint(JANUARY, {"old": SEEN}), TimePoint(JANUARY, {"old": grown}),
              TimePoint(APRIL, vanished=frozenset({"old"}), lost={"old": A, "stranger": B}))  # fmt: skip
    assert lost_before(points) == (Lost("old", grown, A),)
    assert lost_before(points[:2]) == ()


def test_what_the_prior_alone_did_not_show_had_not_vanished() -> None:
    """Else the sum of that date is the smallest there was, and coming back is progression."""
    points = (TimePoint(JANUARY, {"old": SEEN}), TimePoint(APRIL, vanished=frozenset({"old", "gone"})))
    again = Matching((Link(Outcome.RETURNED, ("old",), ("1",)),))
    assert [point.vanished for point in not_gone(points, again)] == [frozenset(), {"gone"}]
    longer = (*points, TimePoint(APRIL))
    assert not_gone(longer, again) == longer, "two dates tell that it was gone"
