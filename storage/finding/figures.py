"""Figures of what was done since a moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, case, func, select

from storage import leases
from storage.lifecycle import LEFT, JobState
from storage.sql.schema import version_of
from storage.sql.store import Store
from storage.sql.tables_people import metadata
from storage.sql.words import EMPTY, at_most, moment
from storage.tables import deliveries, jobs, studies

MOST_TIMES = 10_000
DISABLED = "DISABLED"  # no state of a job: it is PENDING, and its model takes none
LATELY = 1000  # jobs of a model that are looked at


@dataclass(frozen=True)
class Figures:
    """Studies that arrived, jobs that ended well and badly, and of each result that was delivered after its study's
    last image the seconds since that."""

    studies: int
    results: int
    failed: int
    result_s: Sequence[float]


@dataclass(frozen=True)
class OfModel:
    """Studies among the last `LATELY` jobs that a model has done, the mean of what those took in seconds, and studies
    that wait for it."""

    studies: int = 0
    mean_s: float | None = None
    waiting: int = 0


# Seconds from a study's last image to its delivery; NULL where it left before that, went again or was released late.
_TOOK = case(
    (
        and_(deliveries.c.queued_at == deliveries.c.created_at, deliveries.c.sent_at >= studies.c.changed_at),
        deliveries.c.sent_at - studies.c.changed_at,
    )
)


class FiguresStore(Store):
    """Figures, seen from one transaction."""

    def since(self, at: float) -> Figures:
        """What was done from `at` on, which is the same for many who ask."""
        arrived = select(func.count()).select_from(studies).where(studies.c.received_at >= moment(at))
        counts = (arrived, _ended(JobState.DONE, at), _ended(JobState.FAILED, at))
        came, done, failed = self._connection.execute(select(*(one.scalar_subquery() for one in counts))).one()
        return Figures(studies=came, results=done, failed=failed, result_s=self._times(at))

    def jobs(self, closed: Collection[str] = (), now: float = 0.0) -> dict[tuple[str, str, str], int]:
        """How many jobs there are of each route, task and state.

        Those that wait at `now` for one of the models in `closed` are DISABLED, and not PENDING.
        """
        by = (jobs.c.route, jobs.c.task, jobs.c.state)
        query = select(*by, func.count()).group_by(*by)
        found = Counter({(route, task, state): n for route, task, state, n in self._connection.execute(query)})
        if closed:  # asked for by itself: all jobs are counted from an index that knows no models
            wait = (jobs.c.state == JobState.PENDING.value, jobs.c.model.in_(closed), leases.free(jobs, now))
            for route, task, state, number in self._connection.execute(query.where(*wait)):
                found[route, task, DISABLED] = number
                found[route, task, state] -= number
        return dict(+found)

    def models(self, names: Iterable[str]) -> dict[str, OfModel]:
        """What each of these models has done lately and has to do."""
        return {name: OfModel(*self._done(name), self._waiting(name)) for name in names}

    def deliveries(self) -> dict[tuple[str, str], int]:
        """How many deliveries there are to each destination in each state."""
        by = (deliveries.c.destination, deliveries.c.state)
        found = self._connection.execute(select(*by, func.count()).group_by(*by))
        return {(destination, state): number for destination, state, number in found}

    def done_between(self, after: float, until: float) -> list[tuple[str, Mapping[str, float]]]:
        """Task and seconds by step of each job that was done after the one moment and not after the other."""
        ended = (jobs.c.state == JobState.DONE.value, jobs.c.finished_at > after, jobs.c.finished_at <= until)
        found = self._connection.execute(select(jobs.c.task, jobs.c.summary).where(*ended).limit(at_most(MOST_TIMES)))
        return [(task, summary.get("seconds") or {}) for task, summary in found]

    def sent_between(self, after: float, until: float) -> list[tuple[str, float]]:
        """Destination of each delivery that was sent in that time, with the seconds since its study's last image.

        One that was sent before a late image, again, or on a person's word is left out: it has no such time.
        """
        query = select(deliveries.c.destination, _TOOK).join(studies, studies.c.study_uid == deliveries.c.study_uid)
        sent = query.where(deliveries.c.sent_at > after, deliveries.c.sent_at <= until).limit(at_most(MOST_TIMES))
        return [(where, float(s)) for where, s in self._connection.execute(sent) if s is not None]

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        tables = metadata.sorted_tables
        return {t.name: int(self._connection.execute(select(func.count()).select_from(t)).scalar_one()) for t in tables}

    def schema(self) -> str:
        """The schema's revision, the newest migration that has run."""
        return version_of(self._connection) or ""

    def _done(self, model: str) -> tuple[int, float | None]:
        lately = (
            select(jobs.c.study_uid, (jobs.c.finished_at - jobs.c.started_at).label("took"))
            .where(jobs.c.model == model, jobs.c.state == JobState.DONE.value, jobs.c.rejects == EMPTY)
            .order_by(jobs.c.finished_at.desc())
            .limit(at_most(LATELY))
            .subquery()
        )
        query = select(func.count(lately.c.study_uid.distinct()), func.avg(lately.c.took))
        number, took = self._connection.execute(query).one()
        return number, None if took is None else float(took)

    def _waiting(self, model: str) -> int:
        waits = (jobs.c.model == model, jobs.c.state == JobState.PENDING.value, jobs.c.rejects == EMPTY)
        query = select(func.count(jobs.c.study_uid.distinct())).where(*waits)
        return int(self._connection.execute(query).scalar_one())

    def _times(self, at: float) -> list[float]:
        query = select(_TOOK, deliveries.c.state).join(studies, studies.c.study_uid == deliveries.c.study_uid)
        # By time: of an index on the state nearly every row is one that left.
        newest = query.where(deliveries.c.sent_at >= moment(at)).order_by(deliveries.c.sent_at.desc())
        sent = self._connection.execute(newest.limit(at_most(MOST_TIMES)))
        return [float(seconds) for seconds, state in sent if state in LEFT and seconds is not None]


def _ended(state: JobState, at: float) -> Select[Any]:
    """Counts the jobs that have come to this end since `at`."""
    return select(func.count()).select_from(jobs).where(jobs.c.state == state.value, jobs.c.finished_at >= moment(at))
