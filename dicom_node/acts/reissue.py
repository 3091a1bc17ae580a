"""`segnode reissue`: delivered results whose header was corrected are made anew, by a person's word."""

from __future__ import annotations

from storage.database import Transaction
from storage.lifecycle import JobMark, StudyState

SETTLED = (StudyState.DISPATCHED, StudyState.NOT_ROUTED)


def reissue(tx: Transaction, now: float, study_uid: str) -> int:
    """Let the study's stale results be made anew as the next generation; gives how many. NotFound.

    A study that is still settling makes them when it has settled.
    """
    study = tx.studies.get(study_uid)
    stale = [job for job in tx.jobs.of_study(study_uid) if job.mark is JobMark.STALE]
    for job in stale:
        tx.jobs.mark(job.job_id, JobMark.NONE, "a person asked for its results anew, under the corrected header")
        tx.journal.add(now, "reissue", "a person asked for it", study=study_uid, job=job.job_id)
    if stale and study.state in SETTLED:
        tx.studies.move(study_uid, StudyState.COMPLETE, now)
    return len(stale)
