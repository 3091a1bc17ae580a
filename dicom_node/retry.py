"""`segnode retry`: what ended badly goes again, by a person's word."""

from __future__ import annotations

from dataclasses import dataclass, field

from dicom_node.audit.facts import Code, PersonAction
from storage.database import Transaction
from storage.lifecycle import DeliveryState, JobState

AGAIN = (JobState.FAILED, JobState.REFUSED)


@dataclass(frozen=True)
class Retried:
    """How many jobs and deliveries go again; `asked` tells the audit trail what was asked for which study."""

    jobs: int
    deliveries: int
    asked: tuple[tuple[Code, str], ...] = field(default=(), compare=False)


def retry(
    tx: Transaction, now: float, study_uid: str | None, *, release_held: bool = False, resend: bool = False
) -> Retried:
    """Requeue failed jobs and dead deliveries of a study (with refused jobs), or failed ones of every study.

    A refused job goes again only when its study is named: its input would be refused again otherwise.
    `resend` sends what was sent once more: the same instances, so the archive gets no duplicate.
    """
    if study_uid is None:
        jobs = tx.jobs.list(states=[JobState.FAILED], limit=sum(tx.jobs.counts().values()))
        ended = [DeliveryState.DEAD, DeliveryState.HELD]
        deliveries = tx.deliveries.list(states=ended, limit=sum(tx.deliveries.counts().values()))
    else:
        tx.studies.get(study_uid)
        jobs = [job for job in tx.jobs.of_study(study_uid) if job.state in AGAIN]
        deliveries = tx.deliveries.of_study(study_uid)
    asked = {(PersonAction.RETRY, job.study_instance_uid) for job in jobs}
    for job in jobs:
        tx.jobs.retry(job.job_id, now)
        tx.journal.add(now, "retried", "a person asked for it", study=job.study_instance_uid, job=job.job_id)
    again = {DeliveryState.DEAD, DeliveryState.SENT, DeliveryState.COMMITTED} if resend else {DeliveryState.DEAD}
    sent = 0
    for delivery in deliveries:
        if delivery.state in again:
            tx.deliveries.retry(delivery.delivery_id, now)
            dead = delivery.state is DeliveryState.DEAD
            asked.add((PersonAction.RETRY if dead else PersonAction.RESEND, delivery.study_instance_uid))
        elif delivery.state is DeliveryState.HELD and release_held:
            tx.deliveries.release_held(delivery.delivery_id, now)
            asked.add((PersonAction.RELEASE, delivery.study_instance_uid))
        else:
            continue
        sent += 1
        tx.journal.add(
            now,
            "delivery retried",
            f"a person asked for it: {delivery.destination}",
            study=delivery.study_instance_uid,
            job=delivery.job_id,
        )
    return Retried(len(jobs), sent, tuple(sorted(asked, key=lambda one: (one[1], one[0].value))))
