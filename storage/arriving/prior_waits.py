"""Studies that wait, before they are dispatched, for the result of an earlier study that is on its way here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, exists, select, true, union_all

from storage.lifecycle import UNSETTLED, JobState
from storage.sql.store import Store, among
from storage.sql.tables_arriving import prior_waits
from storage.sql.words import EMPTY
from storage.tables import jobs, studies

# Said of all but PENDING, so that the jobs are found by their study: SQLite would as well go through all that wait.
ENDED = tuple(state for state in JobState if state is not JobState.PENDING)


@dataclass(frozen=True)
class PriorWait:
    """A study waits until `deadline` for the result of this task of an earlier one, `prior`, if it gets any."""

    study_instance_uid: str
    prior: str
    task: str
    created_at: float  # since when it waits, for whichever study
    deadline: float


class PriorWaits(Store):
    """Waits of one transaction; a study has one at most."""

    def keep(self, wait: PriorWait) -> None:
        """Have the study wait for this from now on."""
        key = {"study_uid": wait.study_instance_uid}
        told = {"prior_uid": wait.prior, "task": wait.task, "created_at": wait.created_at, "deadline": wait.deadline}
        new = self._insert(prior_waits).values(**key, **told)
        self._connection.execute(new.on_conflict_do_update(index_elements=[prior_waits.c.study_uid], set_=told))

    def find(self, study_uid: str) -> PriorWait | None:
        row = self._connection.execute(select(prior_waits).where(prior_waits.c.study_uid == study_uid)).one_or_none()
        return None if row is None else PriorWait(*row)

    def end(self, study_uid: str) -> float | None:
        """It waits for nothing any more; gives since when it did, None where it never did."""
        this = delete(prior_waits).where(prior_waits.c.study_uid == study_uid)
        return self._connection.execute(this.returning(prior_waits.c.created_at)).scalar_one_or_none()

    def unsettled(self, uids: Sequence[str], task: str, closed: Collection[str] = ()) -> set[str]:
        """Of which of these studies it is still open whether they get a result of the task.

        They have not been dispatched, or their job waits or runs. One of a model in `closed` waits for a person.
        """
        arriving = select(studies.c.study_uid).where(studies.c.study_uid.in_(uids), among(studies.c.state, UNSETTLED))
        made = select(jobs.c.study_uid).where(jobs.c.study_uid.in_(uids), jobs.c.task == task, _on_its_way(closed))
        return set(self._connection.execute(union_all(arriving, made)).scalars())


def waits_no_more(now: float, closed: Collection[str] = ()) -> ColumnElement[bool]:
    """Whether a row of `studies` waits for none that is still `unsettled`, or its deadline is over."""
    earlier = studies.alias()
    prior = prior_waits.c.prior_uid
    wait = and_(prior_waits.c.study_uid == studies.c.study_uid, prior_waits.c.deadline > now)
    arriving = select(1).where(wait, earlier.c.study_uid == prior, among(earlier.c.state, UNSETTLED))
    made = select(1).where(wait, jobs.c.study_uid == prior, jobs.c.task == prior_waits.c.task, _on_its_way(closed))
    # Each by itself: of an OR the planner of PostgreSQL makes no join, and reads all jobs that wait.
    return and_(~exists(arriving.correlate(studies)), ~exists(made.correlate(studies)))


def _on_its_way(closed: Collection[str]) -> ColumnElement[bool]:
    """Whether a job will make a result without anybody's doing; one that rejects another's makes none."""
    open_ = jobs.c.model.not_in(list(closed)) if closed else true()
    return and_(~among(jobs.c.state, ENDED), jobs.c.rejects == EMPTY, open_)
