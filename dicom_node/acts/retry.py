"""`segnode retry`: what ended badly goes again, by a person's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dicom_node.audit.facts import Code, PersonAction
from dicom_node.outgoing import let_go
from dicom_node.pipeline.installed import made_by_another
from dicom_node.pipeline.priors import held_prior
from inference.backends import build
from inference.errors import ModelError
from storage.database import Transaction
from storage.errors import IllegalStep
from storage.lifecycle import DeliveryState, JobState
from storage.records import Delivery, Job

AGAIN = (JobState.FAILED, JobState.REFUSED)


def _gone(tx: Transaction, job: Job) -> bool:
    """Whether it is a rejection note whose file retention has removed."""
    return bool(job.rejects) and tx.results.removed(job.job_id)


def _not_to_leave(tx: Transaction, deliveries: Sequence[Delivery]) -> set[str]:
    """The jobs of these deliveries' studies whose objects no retry sends."""
    studies = {delivery.study_instance_uid for delivery in deliveries}
    known = [job for study in studies for job in tx.jobs.of_study(study)]
    return {job.job_id for job in known if job.outdated or _gone(tx, job)}


@dataclass(frozen=True)
class Retried:
    """How many jobs and deliveries go again, and whether a destination that is down is tried before its time.

    `asked` tells the audit trail what was asked for which study.
    """

    jobs: int
    deliveries: int
    asked: tuple[tuple[Code, str], ...] = field(default=(), compare=False)
    tried_now: bool = False

    @property
    def anything(self) -> bool:
        return bool(self.jobs or self.deliveries or self.tried_now or self.asked)


def resend_dead(tx: Transaction, now: float, destination: str | None = None) -> Retried:
    """Send every dead letter again, of one destination or of all.

    A destination that is named is tried at once, also where it is known to be down. What has been overtaken
    since stays dead.
    """
    every = sum(tx.deliveries.counts().values())
    tried_now = destination is not None and tx.circuits.try_now(destination, now)
    dead = tx.deliveries.list(states=[DeliveryState.DEAD], limit=every, destination=destination)
    outdated = _not_to_leave(tx, dead)
    again = [delivery for delivery in dead if delivery.job_id not in outdated]
    for delivery in sorted(again, key=lambda one: one.delivery_id):  # the oldest goes first again
        tx.deliveries.retry(delivery.delivery_id, now)
        _tell(tx, now, delivery)
    asked = tuple((PersonAction.RETRY, study) for study in sorted({one.study_instance_uid for one in again}))
    return Retried(0, len(again), asked, tried_now)


def retry(
    tx: Transaction, now: float, study_uid: str | None, *, release_held: bool = False, resend: bool = False
) -> Retried:
    """Requeue failed jobs and dead deliveries of a study (with refused jobs), or failed ones of every study.

    A refused job goes again only when its study is named: its input would be refused again otherwise.
    `resend` sends what was sent once more: the same instances, so the archive gets no duplicate. Objects that
    retention has removed are made again for that, under their UIDs and dates; IllegalStep where the images are gone, or
    what they were compared with, or the model that made them.
    What has been overtaken since, by a correction or a rejection, stays where it is.
    """
    jobs_again = sent = 0
    asked: set[tuple[Code, str]] = set()
    if study_uid is None:
        jobs = tx.jobs.list(states=[JobState.FAILED], limit=sum(tx.jobs.counts().values()))
        ended = [DeliveryState.DEAD, DeliveryState.HELD]
        deliveries = tx.deliveries.list(states=ended, limit=sum(tx.deliveries.counts().values()))
    else:
        tx.studies.get(study_uid)
        jobs = [job for job in tx.jobs.of_study(study_uid) if job.state in AGAIN]
        if resend and tx.by_hand.has(study_uid):
            let_go(tx, study_uid, "a person asked for it to be sent", 0, now)
            asked.add((PersonAction.SEND, study_uid))
            sent += sum(one.state is DeliveryState.PENDING for one in tx.deliveries.of_study(study_uid))
        made_again = _make_again(tx, study_uid, now) if resend else []
        deliveries = [d for d in tx.deliveries.of_study(study_uid) if d.job_id not in made_again]
        jobs_again += len(made_again)
        asked |= {(PersonAction.RESEND, study_uid) for _ in made_again}
    asked |= {(PersonAction.RETRY, job.study_instance_uid) for job in jobs}
    for job in jobs:
        tx.jobs.retry(job.job_id, now)
        tx.journal.add(now, "retried", "a person asked for it", study=job.study_instance_uid, job=job.job_id)
    outdated = _not_to_leave(tx, deliveries)
    again = {DeliveryState.DEAD, DeliveryState.SENT, DeliveryState.COMMITTED} if resend else {DeliveryState.DEAD}
    for delivery in deliveries:
        if delivery.job_id in outdated:
            continue
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
        _tell(tx, now, delivery)
    return Retried(len(jobs) + jobs_again, sent, tuple(sorted(asked, key=lambda one: (one[1], one[0].value))))


def _tell(tx: Transaction, now: float, delivery: Delivery) -> None:
    text = f"a person asked for it: {delivery.destination}"
    tx.journal.add(now, "delivery retried", text, study=delivery.study_instance_uid, job=delivery.job_id)


def _make_again(tx: Transaction, study_uid: str, now: float) -> list[str]:
    """Queue the DONE jobs whose objects retention has removed, to be delivered anew; gives their ids."""
    held = {instance.sop_instance_uid for instance in tx.studies.instances(study_uid=study_uid)}
    again = []
    for job in tx.jobs.of_study(study_uid):
        if job.state is not JobState.DONE or job.rejects or job.outdated or not tx.results.removed(job.job_id):
            continue  # a rejection note is no model's work: its file stays gone
        wanted = [uid for source in job.inputs.values() for uid in source["instances"]]
        missing = sum(uid not in held for uid in wanted)
        if missing:
            raise IllegalStep(
                f"study {study_uid} was removed by retention: {missing} of {len(wanted)} images that its result was "
                "made of are not here; send it to the node again, then retry"
            )
        if another := _made_by_another(job):
            raise IllegalStep(another)
        prior = job.parameters.get("prior") if job.summary.get("trend") else None
        # Without it other names of lesions would stand under the same UIDs.
        if prior and (lacks := held_prior(tx, study_uid, prior).lacks):
            raise IllegalStep(
                f"the result of study {study_uid} was compared with study {prior['study']}, and {lacks}; put that "
                "right (send what is gone to the node again, with its results), then retry"
            )
        tx.jobs.run_again(job.job_id, now)
        tx.deliveries.forget(job.job_id)
        tx.journal.add(now, "made again", "a person asked for it", study=study_uid, job=job.job_id)
        again.append(job.job_id)
    return again


def _made_by_another(job: Job) -> str:
    """Why the job's model as it is here may not make its result again; "" where it may, or its files lie elsewhere."""
    try:
        return made_by_another(job, build(job.parameters.get("model", {})).identity())
    except ModelError:  # who runs it has the last word
        return ""
