"""A study waits for an earlier one of its patient that is on its way here, lest it is made without a comparison.

Current and prior are often sent together. It waits for the newest that may yet get a result of a task of its own, so
long as that is newer than what there is. What has failed, was refused or not routed, or rests with its model keeps
nobody. Of two studies only the later waits, and each up to a deadline of its own: none waits for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from dicom_node.pipeline.priors import Earlier, Priors
from storage.arriving.prior_waits import PriorWait
from storage.database import Transaction
from storage.records import Job


class Compared(NamedTuple):
    """A job, what its result is compared with as things are, and the study that may yet get a newer one."""

    job: Job
    prior: Mapping[str, Any] | None
    awaited: Earlier | None

    def made(self) -> Job:
        """The job with its prior; who reads its result is told of one that came too late for it."""
        parameters = dict(self.job.parameters)
        if self.prior:
            parameters["prior"] = self.prior
        if self.awaited:
            note = f"Not compared with the study of {_day(self.awaited)}: it was still being processed."
            parameters["notes"] = [*parameters.get("notes", ()), note]
        return replace(self.job, parameters=parameters)


def compare(tx: Transaction, priors: Priors, job: Job, closed: Collection[str]) -> Compared:
    """What there is for the job to be compared with, and what is to come; no work of models in `closed` does."""
    unsettled = priors.unsettled(tx, job.task, closed)  # first: what ends in between is found among the results
    prior = priors.of_task(tx, job.task)
    newer = [one for one in unsettled if prior is None or _day(one) > prior["taken"]]
    return Compared(job, prior, newer[0] if newer else None)


def keeps_waiting(
    tx: Transaction, study_uid: str, compared: Sequence[Compared], patience_s: float, now: float, revision: int
) -> bool:
    """Whether the study is not dispatched yet; what it waits for is journalled, and `ready` gives it again after that.

    Its time of `patience_s` seconds begins with the first look, for whichever study it waits.
    """
    if not any(one.awaited for one in compared):
        return False
    begun = tx.prior_waits.find(study_uid)
    since, deadline = (begun.created_at, begun.deadline) if begun else (now, now + patience_s)
    for job, _, awaited in compared:
        if awaited and now < deadline:
            prior = awaited.study.study_instance_uid
            tx.prior_waits.keep(PriorWait(study_uid, prior, job.task, since, deadline))
            text = f"for study {prior} of {_day(awaited)}, which is still being processed and to be compared with"
            text += f" ({job.task}); {deadline - now:.0f} s at most"
            tx.journal.add(now, "waits", text, study=study_uid, revision=revision)
            return True
    return False


def tell_missed(tx: Transaction, one: Compared, since: float | None, now: float, revision: int) -> None:
    """Journal that a job is made before its prior, and how long its study had waited, if it had."""
    if one.awaited is None:
        return
    waited = "" if since is None else f" after a wait of {now - since:.0f} s"
    text = f"study {one.awaited.study.study_instance_uid} of {_day(one.awaited)} was still being processed{waited}"
    uid, job = one.job.study_instance_uid, one.job.job_id
    tx.journal.add(now, "prior not used", text, study=uid, job=job, revision=revision)


def _day(one: Earlier) -> str:
    return one.taken.date().isoformat()
