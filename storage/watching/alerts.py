"""Which studies should have had a result by now and have none, and since when that is known."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, union_all, update

from storage.lifecycle import UNSETTLED, DeliveryState, JobState, StudyState
from storage.sql.store import Store, among
from storage.sql.tables_alerts import alerts
from storage.sql.words import EMPTY, at_most
from storage.tables import deliveries, jobs, studies

MOST_AT_ONCE = 1000  # the others are found at the next look


class Alerts(Store):
    """Alerts of one transaction; a study has one open alert at most."""

    def late(self, before: float, since: float) -> list[str]:
        """Studies without an open alert that are late: what they wait for began before `before`, and after `since`."""
        # Asked apart, each begins at the few that are not done: what was dispatched is most of what there is.
        settled = [work.where(_dispatched(of, before)) for of, work in _work(before, since)]
        arriving = select(studies.c.study_uid).where(_unsettled(before), studies.c.changed_at > since)
        found = union_all(arriving, *settled).subquery()
        known = exists(select(1).where(alerts.c.study_uid == found.c.study_uid, alerts.c.resolved_at.is_(None)))
        late = select(found.c.study_uid).where(~known).limit(at_most(MOST_AT_ONCE))
        return list(dict.fromkeys(self._connection.execute(late).scalars()))  # two things may keep a study

    def over(self, before: float) -> list[str]:
        """Studies with an open alert that are late no more."""
        waits = or_(*(studies.c.study_uid.in_(work) for _, work in _work(before)))
        late = or_(_unsettled(before), and_(*_resting(before), waits))
        query = select(alerts.c.study_uid).join(studies, studies.c.study_uid == alerts.c.study_uid)
        return list(self._connection.execute(query.where(alerts.c.resolved_at.is_(None), ~late)).scalars())

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
        job_states = select(jobs.c.state).where(jobs.c.study_uid == study_uid, _UNDONE).distinct()
        kept = [(state, JobState(one), None, "") for one in self._connection.execute(job_states).scalars()]
        columns = (deliveries.c.state, deliveries.c.destination)
        unsent = select(*columns).where(deliveries.c.study_uid == study_uid, _UNSENT)
        sent_to = self._connection.execute(unsent.distinct().order_by(deliveries.c.destination))
        return [*kept, *((state, None, DeliveryState(one), where) for one, where in sent_to)]


_UNDONE = and_(among(jobs.c.state, (JobState.PENDING, JobState.FAILED)), jobs.c.rejects == EMPTY)
_UNSENT = among(deliveries.c.state, (DeliveryState.PENDING, DeliveryState.DEAD))


def _work(before: float, since: float = -1.0) -> Sequence[tuple[ColumnElement[str], Select[tuple[str]]]]:
    """The studies that wait for a result, with the column that tells them: for a job or a delivery queued in that time.

    Refused input, held results and studies that no route wanted have none by a rule: they are not late. Nor is what
    somebody has just asked for again; of an old study it is when he asked that counts.
    """
    undone = select(jobs.c.study_uid).where(_UNDONE, jobs.c.queued_at > since, jobs.c.queued_at <= before)
    queued = (deliveries.c.queued_at > since, deliveries.c.queued_at <= before)
    return (jobs.c.study_uid, undone), (deliveries.c.study_uid, select(deliveries.c.study_uid).where(_UNSENT, *queued))


def _dispatched(study_uid: ColumnElement[str], before: float) -> ColumnElement[bool]:
    """Whether the study was dispatched, and no image has come since `before`."""
    return exists(select(1).where(studies.c.study_uid == study_uid, *_resting(before)))


def _resting(before: float) -> Sequence[ColumnElement[bool]]:
    return studies.c.state == StudyState.DISPATCHED.value, studies.c.changed_at <= before


def _unsettled(before: float) -> ColumnElement[bool]:
    return and_(among(studies.c.state, UNSETTLED), studies.c.changed_at <= before)
