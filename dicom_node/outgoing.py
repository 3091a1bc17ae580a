"""Where a result goes: at once, or, of a study that a person brought, when somebody asks for it.

What is kept back waits in the job's summary, so that asking needs no configuration: the forms that its destinations
want are made already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from storage.database import Transaction
from storage.lifecycle import DeliveryState, JobMark, JobState
from storage.records import Job

KEPT_BACK = "kept_back"  # in a job's summary: what would have left


class Outgoing(NamedTuple):
    """A job's result for one destination: in which form, and why it is held there, "" where it is not."""

    destination: str
    variant: str = ""
    held: str = ""


def kept_back(job: Job, outgoing: Sequence[Outgoing]) -> dict[str, Any]:
    """What the summary of a job says of it."""
    return {KEPT_BACK: [list(one) for one in outgoing]} if job.parameters.get("by_hand") else {}


def send_or_keep(tx: Transaction, job: Job, outgoing: Sequence[Outgoing], revision: int, now: float) -> None:
    """The deliveries of a job that ends in this transaction; those of a study by hand are kept back."""
    if not (job.parameters.get("by_hand") and tx.by_hand.has(job.study_instance_uid)):
        for one in outgoing:
            _send(tx, job, one, revision, now)
        return
    text = "a person brought its study: nothing is sent until somebody asks for it"
    tx.journal.add(now, "kept back", text, study=job.study_instance_uid, job=job.job_id, revision=revision)


def let_go(tx: Transaction, study_uid: str, why: str, revision: int, now: float) -> int:
    """From now on the study is one like every other; what was kept back leaves. Gives the number of deliveries."""
    if not tx.by_hand.end(study_uid):
        return 0
    tx.journal.add(now, "let go", why, study=study_uid, revision=revision)
    return sum(send_kept(tx, job, revision, now) for job in tx.jobs.of_study(study_uid))


def send_kept(tx: Transaction, job: Job, revision: int, now: float) -> int:
    """Send what was kept back of a job whose result stands, once. Gives the number of deliveries."""
    kept = job.summary.get(KEPT_BACK, ())
    if not kept or job.state is not JobState.DONE or job.mark is not JobMark.NONE or tx.deliveries.of_job(job.job_id):
        return 0
    for destination, variant, held in kept:
        _send(tx, job, Outgoing(destination, variant, held), revision, now)
    return len(kept)


def _send(tx: Transaction, job: Job, to: Outgoing, revision: int, now: float) -> None:
    state = DeliveryState.HELD if to.held else DeliveryState.PENDING
    study = job.study_instance_uid
    tx.deliveries.add(job.job_id, study, to.destination, state, now, to.held, variant=to.variant)
    if to.held:
        tx.journal.add(now, "held", to.held, study=study, job=job.job_id, revision=revision)
