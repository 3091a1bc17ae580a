"""Lesions that an earlier study shows and the prior does not: where they would lie, and which of them are found again.

A model misses a small lesion at one date and finds it at the next. Called new there it would be progression by every
criterion, and by its old name at no date any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from inference.followup.lesion import Lesion
from inference.followup.match import Link, Matching
from inference.followup.pairing import CLOSE_MM, MOST_TIMES
from inference.followup.register import Registration
from inference.trend import Outcome, Seen, TimePoint

Centre = tuple[float, float, float]  # (x, y, z) in LPS mm


class Lost(NamedTuple):
    """A lesion that the prior does not show: as it was seen last, and where in the prior's images it would lie."""

    uid: str
    last: Seen
    centre: Centre


def lost_before(points: Sequence[TimePoint]) -> tuple[Lost, ...]:
    """Those that the last of the dates does not show."""
    seen = {uid: one for point in points for uid, one in point.seen.items()}
    return tuple(Lost(uid, seen[uid], centre) for uid, centre in points[-1].lost.items() if uid in seen)


def found_again(matching: Matching, current: Sequence[Lesion], lost: Sequence[Lost],
                registration: Registration) -> Matching:
    """The matching in which a lesion is not new that lies where a lost one of its type lay.

    Where more than one way fits, or the size does not, it is uncertain: neither new nor the old one can be said of it.
    """
    new = set(matching.current(Outcome.NEW))
    pairs = [(one, lesion) for lesion in current if lesion.uid in new
             for one in lost if _lies_there(one, lesion, registration)]
    ways = Counter(uid for one, lesion in pairs for uid in (one.uid, lesion.uid))
    links = {lesion.uid: _link(one, lesion, ways[one.uid] == ways[lesion.uid] == 1) for one, lesion in pairs}
    others = (link for link in matching.links if not links.keys() & link.current)
    return Matching((*others, *links.values()))


def carried(lost: Sequence[Lost], before: Sequence[Lesion], matching: Matching,
            registration: Registration) -> dict[str, Centre]:
    """Where in the current images those would lie that are lost from now on, or still."""
    again, gone = matching.prior(Outcome.RETURNED), matching.prior(Outcome.VANISHED)
    centres = {one.uid: one.centre for one in lost if one.uid not in again}
    centres |= {lesion.uid: lesion.centre for lesion in before if lesion.uid in gone}
    return {uid: _there(centre, registration) for uid, centre in centres.items()}


def not_gone(points: Sequence[TimePoint], matching: Matching) -> tuple[TimePoint, ...]:
    """The dates, where what the last of them alone did not show had not vanished: missed or away, nobody knows.

    What two in a row did not show was gone, and has come back.
    """
    *earlier, last = points
    return *earlier, replace(last, vanished=last.vanished - {*matching.prior(Outcome.RETURNED)})


def _lies_there(one: Lost, lesion: Lesion, registration: Registration) -> bool:
    """Whether they are of one type, and the centre of one lies within the other or as good as that."""
    if one.last.type != lesion.identity.type:
        return False
    distance = np.linalg.norm(np.subtract(_there(one.centre, registration), lesion.centre))
    return bool(distance <= max(CLOSE_MM, one.last.size.radius_mm, lesion.radius_mm))


def _link(one: Lost, lesion: Lesion, only: bool) -> Link:
    before, after = one.last.size.volume_ml, lesion.size.volume_ml
    if only and max(before, after) <= MOST_TIMES * min(before, after):
        return Link(Outcome.RETURNED, (one.uid,), (lesion.uid,), reason="an earlier study shows it, the prior does not")
    reason = f"{one.last.label or 'a lesion'} lay there before, which the prior does not show"
    return Link(Outcome.UNCERTAIN, current=(lesion.uid,), reason=reason)


def _there(centre: Centre, registration: Registration) -> Centre:
    x, y, z = registration.to_current(centre).tolist()
    return x, y, z
