"""Which studies should have had a result by now and have none, and since when that is known."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update

from storage.lifecycle import DeliveryState, JobState, StudyState
from storage.store import Store, among
from storage.tables import deliveries, jobs, studies
from storage.tables_alerts import alerts

UNSETTLED = (StudyState.RECEIVING, StudyState.FETCHING, StudyState.COMPLETE)
PRESENT = (*UNSETTLED, StudyState.DISPATCHED)
MOST_AT_ONCE = 1000  # the others are found at the next look


class Alerts(Store):
    """Alerts of one transaction; a study has one open alert at most."""

    def late(self, before: float, since: float) -> list[str]:
        """Studies without an open alert that are late: their last image came before `before`, and after `since`."""
        known = exists(select(1).where(alerts.c.study_uid == studies.c.study_uid, alerts.c.resolved_at.is_(None)))
        query = select(studies.c.study_uid).where(
            among(studies.c.state, PRESENT), studies.c.changed_at > since, _late(before), ~known.correlate(studies)
        )
        return list(self._connection.execute(query.limit(MOST_AT_ONCE)).scalars())

    def over(self, before: float) -> list[str]:
        """Studies with an open alert that are late no more."""
        query = select(alerts.c.study_uid).join(studies, studies.c.study_uid == alerts.c.study_uid)
        return list(self._connection.execute(query.where(alerts.c.resolved_at.is_(None), ~_late(before))).scalars())

    def raise_(self, study_uid: str, now: float) -> bool:
        """Open an alert; False where one is open."""
        return self._add(alerts, study_uid=study_uid, raised_at=now, resolved_at=None)

    def resolve(self, study_uid: str, now: float) -> bool:
        """Close the study's alert; False where none is open."""
        this = (alerts.c.study_uid == study_uid, alerts.c.resolved_at.is_(None))
        return self._connection.execute(update(alerts).where(*this).values(resolved_at=now)).rowcount == 1

    def open_count(self) -> int:
        """How many studies are known to be late."""
        query = select(func.count()).select_from(alerts).where(alerts.c.resolved_at.is_(None))
        return int(self._connection.execute(query).scalar_one())

    def why(self, study_uid: str) -> Sequence[tuple[StudyState, JobState | None, DeliveryState | None, str]]:
        """What keeps the study's results: its state; or jobs; or deliveries, with their destinations."""
        state = StudyState(
            self._connection.execute(select(studies.c.state).where(studies.c.study_uid == study_uid)).scalar_one()
        )
        if state in UNSETTLED:
            return [(state, None, None, "")]
        job_states = select(jobs.c.state).where(jobs.c.study_uid == study_uid, *_UNDONE).distinct()
        kept = [(state, JobState(one), None, "") for one in self._connection.execute(job_states).scalars()]
        unsent = select(deliveries.c.state, deliveries.c.destination).where(
            deliveries.c.study_uid == study_uid, among(deliveries.c.state, _UNSENT)
        )
        sent_to = self._connection.execute(unsent.distinct().order_by(deliveries.c.destination))
        return [*kept, *((state, None, DeliveryState(one), where) for one, where in sent_to)]


_UNDONE = (among(jobs.c.state, (JobState.PENDING, JobState.FAILED)), jobs.c.rejects == "")
_UNSENT = (DeliveryState.PENDING, DeliveryState.DEAD)


def _late(before: float) -> ColumnElement[bool]:
    """No result though the time is over, and nobody has just asked for it again.

    Refused input, held results and studies that no route wanted have none by a rule: they are not late.
    """
    undone = exists(
        select(1).where(jobs.c.study_uid == studies.c.study_uid, *_UNDONE, jobs.c.queued_at <= before)
    ).correlate(studies)
    unsent = exists(
        select(1).where(
            deliveries.c.study_uid == studies.c.study_uid,
            among(deliveries.c.state, _UNSENT),
            deliveries.c.queued_at <= before,
        )
    ).correlate(studies)
    present = among(studies.c.state, PRESENT)
    return and_(present, studies.c.changed_at <= before, or_(among(studies.c.state, UNSETTLED), undone, unsent))
