"""The queue of inference work."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, func, select, text, true, union, update

from storage import leases
from storage.errors import IllegalStep, NotFound
from storage.lifecycle import JOB_STEPS, DeliveryState, JobMark, JobState, check_step
from storage.records import Job
from storage.sql.store import Store, among
from storage.sql.words import at_most
from storage.tables import deliveries, jobs
from storage.texts import plain

Jobs_ = list[Job]  # inside the class `list` is a method

_PENDING = jobs.c.state == JobState.PENDING.value
_CRASHED = text("crashes > 0")  # in the words of the index of these few


class Jobs(Store):
    """Jobs of one transaction. A running job is PENDING with a live lease."""

    def add(self, job: Job) -> bool:
        """Queue a job; False where that `job_id` exists, whatever became of it."""
        values = {column.name: getattr(job, column.name) for column in jobs.columns if hasattr(job, column.name)}
        values |= {"study_uid": job.study_instance_uid, "state": job.state.value, "queued_at": job.created_at}
        values["mark"] = job.mark.value
        return self._add(jobs, **values)

    def get(self, job_id: str) -> Job:
        """The job; NotFound."""
        if (job := self.find(job_id)) is None:
            raise NotFound(f"no job {job_id}")
        return job

    def find(self, job_id: str) -> Job | None:
        row = self._connection.execute(select(jobs).where(jobs.c.job_id == job_id)).one_or_none()
        return None if row is None else job_of(row)

    def of_study(self, uid: str) -> Jobs_:
        """The study's jobs, oldest first."""
        query = select(jobs).where(jobs.c.study_uid == uid).order_by(jobs.c.created_at, jobs.c.job_id)
        return [job_of(row) for row in self._connection.execute(query)]

    def list(self, states: Collection[JobState] | None = None, limit: int = 100) -> Jobs_:
        """The newest first."""
        query = select(jobs).order_by(jobs.c.created_at.desc()).limit(at_most(limit))
        if states is not None:
            query = query.where(among(jobs.c.state, states))
        return [job_of(row) for row in self._connection.execute(query)]

    def on_their_way(self, route: str) -> int:
        """Of how many studies something is still to be made, or to be sent, that this route wanted."""
        made = select(jobs.c.study_uid).where(_PENDING, jobs.c.route == route)
        unsent = among(deliveries.c.state, (DeliveryState.PENDING, DeliveryState.HELD))
        ours = and_(jobs.c.job_id == deliveries.c.job_id, jobs.c.route == route)
        sent = select(deliveries.c.study_uid).join(jobs, ours).where(unsent)
        studies = union(made, sent).subquery()
        return int(self._connection.execute(select(func.count()).select_from(studies)).scalar_one())

    def running(self, now: float) -> Jobs_:
        """Jobs that somebody works at, in the order of the queue."""
        query = select(jobs).where(_PENDING, leases.held(jobs), leases.alive(jobs, now))
        ordered = query.order_by(jobs.c.priority.desc(), jobs.c.queued_at, jobs.c.job_id)
        return [job_of(row) for row in self._connection.execute(ordered)]

    def counts(self, most: int | None = None) -> dict[JobState, int]:
        """How many jobs are in each state; a state without one is left out, none counted further than `most`."""
        return self._counts(jobs.c.state, JobState, most)

    def waiting(self, now: float, closed: Collection[str] = ()) -> bool:
        """Whether `claim` would find a job."""
        return self._exists(_PENDING & leases.free(jobs, now) & _but(closed))

    def waiting_for(self, model: str, now: float) -> Jobs_:
        """Jobs of a model that nobody works at."""
        query = select(jobs).where(_PENDING, leases.free(jobs, now), jobs.c.model == model)
        return [job_of(row) for row in self._connection.execute(query.order_by(jobs.c.queued_at, jobs.c.job_id))]

    def claim(
        self, owner: str, now: float, term_s: float, closed: Collection[str] = (), last: Collection[str] = ()
    ) -> Job | None:
        """Lease the job of highest priority, of these the one that waits longest; none of the models in `closed`.

        The jobs in `last` only where no other waits. A job whose last owner let the lease run out cost a worker: taking
        it over counts that crash.
        """
        queue = (
            select(jobs.c.job_id)
            .where(_PENDING, leases.free(jobs, now), _but(closed))
            .order_by(*_behind(last), jobs.c.priority.desc(), jobs.c.queued_at, jobs.c.job_id)
        )
        started = {
            "attempts": jobs.c.attempts + 1,
            "crashes": jobs.c.crashes + case((jobs.c.lease_owner.is_not(None), 1), else_=0),
            "started_at": now,
            "progress": 0.0,
            "step": "",
        }
        row = leases.take(self._connection, queue, owner, now + term_s, **started)
        return None if row is None else job_of(row)

    def renew(
        self, job_id: str, owner: str, now: float, term_s: float, progress: float | None = None, step: str | None = None
    ) -> None:
        """Extend the lease and tell how far the work is (0 to 1); LeaseLost."""
        told: dict[str, Any] = {} if progress is None else {"progress": progress}
        told |= {} if step is None else {"step": plain(step)}
        self._change(job_id, owner, lease_until=now + term_s, **told)

    def finish(
        self,
        job_id: str,
        owner: str,
        state: JobState,
        now: float,
        reason: str = "",
        summary: dict[str, Any] | None = None,
    ) -> None:
        """End the job that `owner` holds; LeaseLost where another may have ended it."""
        check_step(JOB_STEPS, f"job {job_id}", JobState.PENDING, state)
        end = {"state": state.value, "finished_at": now, "reason": plain(reason), "summary": summary or {}}
        if state is JobState.DONE:
            end["progress"] = 1.0
        self._change(job_id, owner, **end, **leases.NO_LEASE)

    def release(self, job_id: str, owner: str, crashed: bool) -> None:
        """Give the job back to the queue; `crashed` where it cost its worker. LeaseLost."""
        self._change(job_id, owner, crashes=jobs.c.crashes + int(crashed), **leases.NO_LEASE)

    def reap(self, now: float) -> Jobs_:
        """Give back the jobs whose lease ran out, each with a crash more."""
        dead = update(jobs).where(_PENDING, leases.lapsed(jobs, now))
        back = dead.values(crashes=jobs.c.crashes + 1, **leases.NO_LEASE).returning(jobs)
        return [job_of(row) for row in self._connection.execute(back)]

    def fail_crashed(self, max_crashes: int, now: float) -> Jobs_:
        """End as FAILED the waiting jobs that cost their worker `max_crashes` times; gives them."""
        hopeless = (_PENDING, jobs.c.lease_owner.is_(None), _CRASHED, jobs.c.crashes >= max_crashes)
        reason = f"the worker ended under it, {max_crashes} times or more; retry runs it again"
        failed = update(jobs).where(*hopeless).values(state=JobState.FAILED.value, finished_at=now, reason=reason)
        return [job_of(row) for row in self._connection.execute(failed.returning(jobs))]

    def retry(self, job_id: str, now: float) -> None:
        """Queue a FAILED or REFUSED job again, behind those that wait at its priority; IllegalStep."""
        if self.get(job_id).state is JobState.DONE:
            raise IllegalStep(f"job {job_id} is DONE: what it made is its result")
        fresh = {"reason": "", "crashes": 0, "progress": 0.0, "step": "", "queued_at": now, "finished_at": None}
        self._step(job_id, JobState.PENDING, **fresh)

    def run_again(self, job_id: str, now: float) -> None:
        """Queue a DONE job whose objects were removed; they come back under their UIDs and dates. IllegalStep."""
        fresh = {"crashes": 0, "progress": 0.0, "step": "", "queued_at": now, "finished_at": None}
        self._step(job_id, JobState.PENDING, **fresh)

    def supersede(self, job_id: str, now: float, reason: str) -> None:
        """End a job that a later generation replaced; whoever runs it loses the lease. IllegalStep."""
        ended = {"reason": plain(reason), "finished_at": func.coalesce(jobs.c.finished_at, now), "mark": ""}
        self._step(job_id, JobState.SUPERSEDED, **ended, **leases.NO_LEASE)

    def mark(self, job_id: str, mark: JobMark, reason: str = "") -> None:
        """Say of results that left that they are stale or withdrawn, or with NONE that they are not."""
        this = update(jobs).where(jobs.c.job_id == job_id)
        self._connection.execute(this.values(mark=mark.value, reason=plain(reason)))

    def marked(self, mark: JobMark, limit: int = 100) -> Jobs_:
        """Jobs whose results bear this mark, the newest first."""
        query = select(jobs).where(jobs.c.mark == mark.value, jobs.c.mark != "").order_by(jobs.c.created_at.desc())
        return [job_of(row) for row in self._connection.execute(query.limit(at_most(limit)))]

    def mark_counts(self) -> dict[JobMark, int]:
        """How many jobs bear each mark."""
        found = select(jobs.c.mark, func.count()).where(jobs.c.mark != "").group_by(jobs.c.mark)
        return {JobMark(name): number for name, number in self._connection.execute(found)}

    def _change(self, job_id: str, owner: str, **values: Any) -> None:
        leases.change(self._connection, jobs.c.job_id, job_id, owner, **values)

    def _step(self, job_id: str, to: JobState, **values: Any) -> None:
        this = jobs.c.job_id == job_id
        state = self._locked(jobs.c.state, this)
        if state is None:
            raise NotFound(f"no job {job_id}")
        check_step(JOB_STEPS, f"job {job_id}", JobState(state), to)
        self._connection.execute(update(jobs).where(this).values(state=to.value, **values))


def _but(closed: Collection[str]) -> ColumnElement[bool]:
    """Of no model that takes none."""
    return jobs.c.model.not_in(list(closed)) if closed else true()


def _behind(last: Collection[str]) -> list[ColumnElement[int]]:
    """These after all others; nothing where there are none, so that the queue is read off its index."""
    return [case((jobs.c.job_id.in_(list(last)), 1), else_=0)] if last else []


def job_of(row: Row[Any]) -> Job:
    """A row as a fact."""
    values = dict(row._mapping)
    del values["queued_at"]
    state, mark = JobState(values.pop("state")), JobMark(values.pop("mark"))
    return Job(study_instance_uid=values.pop("study_uid"), state=state, mark=mark, **values)
