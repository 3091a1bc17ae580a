"""All that is done after a crash; small, because work is leased and every step is one commit.

It may run at any time, also while others work: it touches only what nobody holds any more.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from storage.archive import Archive
from storage.database import Database
from storage.journal import About
from storage.records import Job
from storage.upkeep.older_database import last_swept

WRITING_TERM_S = 60.0  # no file takes so long from its last byte to its name
PART_TERM_S = 3600.0  # no association takes so long over one object
SILENT_TERM_S = 86400.0
CLOCKS_APART_S = 60.0  # no two machines' clocks are further apart without a fault


@dataclass(frozen=True)
class Recovered:
    """How much was given back or cleared away."""

    jobs: int  # given back to the queue
    failed: int  # …and ended, having cost too many workers
    deliveries: int
    commitments: int  # asked by us or of us
    associations: int
    parts: int  # half-written files, and whole ones that were not named yet

    @property
    def anything(self) -> bool:
        return any(astuple(self))


def recover(db: Database, archive: Archive, now: float, max_crashes: int, *, revision: int = 0) -> Recovered:
    """Give back what dead owners held and journal it; sweep what they left half-written."""

    def about(job: Job) -> About:
        return {"study": job.study_instance_uid, "job": job.job_id, "revision": revision}

    parts = clear_parts(db, archive, now)
    with db.transaction() as tx:
        jobs = tx.jobs.reap(now)
        for job in jobs:
            told = f"its worker or the node ended under it; crash {job.crashes}"
            tx.journal.add(now, "lease ran out", told, **about(job))
        failed = tx.jobs.fail_crashed(max_crashes, now)
        for job in failed:
            tx.journal.add(now, "failed", job.reason, **about(job))
        deliveries = tx.deliveries.reap(now)
        commitments = tx.commitments.reap(now) + tx.promises.reap(now)
        associations = tx.associations.close_lapsed(now)
        tx.processes.forget(now, SILENT_TERM_S)
    return Recovered(len(jobs), len(failed), deliveries, commitments, associations, parts)


def clock_set_back(db: Database, by_s: float, now: float, *, revision: int = 0) -> int:
    """Have what waits wait no longer than it was to, where the clock that timed it has been set back to `now`.

    Gives the number of rows.
    """
    with db.transaction() as tx:
        moved = tx.due.earlier(by_s, now)
        tx.processes.forget_ahead(now)
        if moved:
            text = f"the machine's clock was set back by {by_s:.0f} s; {moved} rows that wait by it were put right"
            tx.journal.add(now, "clock set back", text, revision=revision)
    return moved


def set_back_unseen(db: Database, now: float) -> float:
    """By how many seconds `now` is before what the database was told last; 0: not, or as clocks differ anyway.

    Whoever sees that a clock is wrong stops the node to put it right.
    """
    known = last_swept(db) or 0.0
    with db.reading() as tx:
        known = max([known, *(entry.at for entry in tx.journal.recent(1))])
    return known - now if known - now > CLOCKS_APART_S else 0.0


def clear_parts(db: Database, archive: Archive, now: float) -> int:
    """Name the whole files that rows wait for, and only then sweep what nobody is at any more; gives the number."""
    with db.reading() as tx:
        finished = archive.finish_parts(now - WRITING_TERM_S, tx.removals.is_named)
    return finished + archive.sweep_parts(now - PART_TERM_S)
