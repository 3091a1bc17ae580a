"""The dates of one patient in order, and what each shows of every lesion, known by its tracking UID."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from inference.followup.growth import Growth, growth
from inference.followup.lesion import Lesion
from inference.followup.match import Matching
from inference.trend import Outcome, Seen, TimePoint


def first(taken: date, lesions: Sequence[Lesion]) -> TimePoint:
    """The date that nothing comes before: its lesions are neither new nor old."""
    return TimePoint(taken, {lesion.uid: _seen(lesion) for lesion in lesions})


def following(taken: date, lesions: Sequence[Lesion], matching: Matching) -> TimePoint:
    """A date after its prior: matched lesions go by the prior's tracking UID, the others by their own."""
    names = {lesion.uid: matching.handed_on.get(lesion.uid, lesion.uid) for lesion in lesions}
    if len(set(names.values())) < len(names):
        raise ValueError("a lesion of the current study has the tracking UID of a prior one that is not its match")
    return TimePoint(taken, {names[lesion.uid]: _seen(lesion) for lesion in lesions},
                     frozenset(matching.current(Outcome.NEW)), frozenset(matching.prior(Outcome.VANISHED)))


def in_order(points: Sequence[TimePoint]) -> tuple[TimePoint, ...]:
    """The same; ValueError where the dates do not run forward."""
    if any(later.taken < earlier.taken for earlier, later in pairwise(points)):
        raise ValueError("time points must come in the order of their dates")
    return tuple(points)


def growth_of(uid: str, points: Sequence[TimePoint]) -> tuple[Growth, ...]:
    """How one lesion grew from each date that shows it to the next one that does."""
    shown = [(point.taken, point.seen[uid].size) for point in in_order(points) if uid in point.seen]
    return tuple(growth(before, earlier, after, later) for (earlier, before), (later, after) in pairwise(shown))


def _seen(lesion: Lesion) -> Seen:
    return Seen(lesion.size, lesion.identity.organ, lesion.identity.label, lesion.identity.type)
