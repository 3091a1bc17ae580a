"""`segnode retry`: what ended badly goes again, by a person's word."""

from __future__ import annotations

from dataclasses import dataclass

from storage.database import Transaction
from storage.lifecycle import DeliveryState, JobState
from storage.records import Delivery

AGAIN = (JobState.FAILED, JobState.REFUSED)


@dataclass(frozen=True)
class Retried:
    """How many jobs and deliveries go again, and whether a destination that is down is tried before its time."""

    jobs: int
    deliveries: int
    tried_now: bool = False

    @property
    def anything(self) -> bool:
        return bool(self.jobs or self.deliveries or self.tried_now)


def resend_dead(tx: Transaction, now: float, destination: str | None = None) -> Retried:
    """Send every dead letter again, of one destination or of all.

    A destination that is named is tried at once, also where it is known to be down.
    """
    every = sum(tx.deliveries.counts().values())
    tried_now = destination is not None and tx.circuits.try_now(destination, now)
    dead = tx.deliveries.list(states=[DeliveryState.DEAD], limit=every, destination=destination)
    for delivery in sorted(dead, key=lambda one: one.delivery_id):  # the oldest goes first again
        tx.deliveries.retry(delivery.delivery_id, now)
        _tell(tx, now, delivery)
    return Retried(0, len(dead), tried_now)


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
    for job in jobs:
        tx.jobs.retry(job.job_id, now)
        tx.journal.add(now, "retried", "a person asked for it", study=job.study_instance_uid, job=job.job_id)
    again = {DeliveryState.DEAD, DeliveryState.SENT, DeliveryState.COMMITTED} if resend else {DeliveryState.DEAD}
    sent = 0
    for delivery in deliveries:
        if delivery.state in again:
            tx.deliveries.retry(delivery.delivery_id, now)
        elif delivery.state is DeliveryState.HELD and release_held:
            tx.deliveries.release_held(delivery.delivery_id, now)
        else:
            continue
        sent += 1
        _tell(tx, now, delivery)
    return Retried(len(jobs), sent)


def _tell(tx: Transaction, now: float, delivery: Delivery) -> None:
    text = f"a person asked for it: {delivery.destination}"
    tx.journal.add(now, "delivery retried", text, study=delivery.study_instance_uid, job=delivery.job_id)
