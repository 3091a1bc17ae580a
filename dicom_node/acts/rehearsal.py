"""A dry run: what other routes would have made of the studies of the last days, by the headers that are in the index.

Nothing is made and nothing is written. The newest studies come first, until time or number is used up; what was not
looked at is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from dicom_node.indexed import indexed
from dicom_node.routing.route import Routing
from dicom_node.routing.table import Decision, JobPlan, decide
from storage.database import Database
from storage.finding.search import Sought
from storage.lifecycle import StudyState
from storage.records import Study

DAY_S = 86400.0
SETTLED = (StudyState.DISPATCHED, StudyState.NOT_ROUTED)
MOST, PAGE = 2000, 50
LIMIT_S = 20.0


class Difference(NamedTuple):
    """What would be otherwise on one route, in words; "" where it would do nothing, before or after."""

    route: str
    before: str
    after: str


@dataclass(frozen=True)
class WouldChange:
    """A study that would be treated otherwise."""

    study: Study = field(repr=False)
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Rehearsal:
    """How many studies were looked at, how many of them one of the new routes takes, and which would change.

    `whole` is False where older studies of these days were not looked at any more.
    """

    looked_at: int
    taken: int
    changes: tuple[WouldChange, ...]
    whole: bool = True


def rehearse(
    database: Database, before: Routing, after: Routing, since: float, clock: Callable[[], float] = time.monotonic,
    closed: Mapping[str, str] = MappingProxyType({}),
) -> Rehearsal:  # fmt: skip
    """Decide about every settled study that has arrived since then, by both; `closed` models get no job by either."""
    end, looked_at, taken = clock() + LIMIT_S, 0, 0
    changes: list[WouldChange] = []
    for study in _since(database, since):
        if looked_at >= MOST or clock() > end:
            return Rehearsal(looked_at, taken, tuple(changes), whole=False)
        with database.reading() as tx:
            found = indexed(tx, study)
        old, new = (decide(routing.routes, found.facts(routing.vocabulary), closed) for routing in (before, after))
        looked_at += 1
        taken += bool(new.plans)
        if differences := differences_of(old, new):
            changes.append(WouldChange(study, differences))
    return Rehearsal(looked_at, taken, tuple(changes))


def differences_of(old: Decision, new: Decision) -> tuple[Difference, ...]:
    """The routes that do something else now, each with its verdict on the study then and now."""
    plans = [{plan.route: plan for plan in decision.plans} for decision in (old, new)]
    names = dict.fromkeys([*plans[0], *plans[1]])
    return tuple(
        Difference(name, _said(old, plans[0].get(name), name), _said(new, plans[1].get(name), name))
        for name in names
        if _does(plans[0].get(name)) != _does(plans[1].get(name))
    )


def _does(plan: JobPlan | None) -> tuple[object, ...] | None:
    """All of a plan that anybody would notice."""
    if plan is None:
        return None
    return (plan.task, plan.model, dict(plan.inputs), plan.outputs, plan.destinations, plan.priority, plan.parameters)


def _said(decision: Decision, plan: JobPlan | None, name: str) -> str:
    """A route's verdict on the whole study; of one that fires also where its result goes and how urgent it is."""
    reasons = [one.reason for one in decision.verdicts if one.route == name and not one.series_uid]
    text = "; ".join(reasons) or "there is no such route"
    if plan is None:
        return text
    to = ", ".join(plan.destinations) or "nobody"
    return f"{text}; results as {', '.join(plan.outputs)} to {to}, priority {plan.priority}"


def _since(database: Database, since: float) -> Iterator[Study]:
    """Settled studies that have arrived since then, the newest first, a page at a time."""
    after: tuple[float, str] | None = None
    while True:
        with database.reading() as tx:
            found: Sequence[Study] = tx.search.studies(Sought(SETTLED, after=after, limit=PAGE))
        for study in found:
            if study.received_at < since:
                return
            yield study
        if len(found) < PAGE:
            return
        after = (found[-1].received_at, found[-1].study_instance_uid)
