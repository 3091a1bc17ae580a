"""Rejection notes that arrived (IHE RAD TF-3 4.66) take effect: what hangs on rejected instances stops.

Rejected instances are no input of any later job, also where they arrive after their note. Jobs that wait are
superseded, deliveries that have not left are stopped, and results that have left are marked withdrawn.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from dicom_node.objects.key_objects import BadNote, RejectionNote, Title, read_rejection
from dicom_node.pipeline.aside import Aside
from storage.archive import Archive
from storage.arriving.rejections import Rejection
from storage.database import Database, Transaction
from storage.errors import Unavailable
from storage.lifecycle import DeliveryState, JobMark, JobState
from storage.records import Instance, InstanceKind, Job

log = logging.getLogger(__name__)

BATCH = 20
HELD_OUTSIDE = (DeliveryState.SENT, DeliveryState.COMMITTED, DeliveryState.PENDING)  # pending: it is just leaving


@dataclass(frozen=True)
class Reject:
    """Reads Key Object Selections and follows those that reject."""

    database: Database
    archive: Archive
    revision: int = 0
    name: str = "reject"
    aside: Aside = field(default_factory=Aside)

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.versions.any_unread(InstanceKind.NOTE):
                return False
            waiting = tx.versions.unread(InstanceKind.NOTE, BATCH, but=self.aside.at(now))
        with self.aside.watching(self.database, self.name, now, self.revision) as tell:
            for instance in waiting:
                tell(instance.study_instance_uid)
                self._read(instance, now)
        return bool(waiting)

    def _read(self, instance: Instance, now: float) -> None:
        refusal, note = "", None
        try:
            with self.archive.local([instance.file]) as (path,):
                note = read_rejection(path, instance.transfer_syntax_uid)
        except BadNote as bad:
            refusal = str(bad)
        except Unavailable as trouble:
            self.aside.unread(self.database, instance, trouble, now, self.revision)
            return
        with self.database.transaction() as tx:
            if not tx.versions.mark_read(instance):
                return
            if refusal:
                text = f"key object selection {instance.sop_instance_uid} was not followed: {refusal}"
                tx.journal.add(now, "note refused", text, study=instance.study_instance_uid, revision=self.revision)
                log.warning("%s", text, extra={"study": instance.study_instance_uid})
            elif note is not None:
                self._follow(tx, instance, note, now)

    def _follow(self, tx: Transaction, instance: Instance, note: RejectionNote, now: float) -> None:
        for study, uids in sorted(note.named.items()):
            tx.rejections.add(
                Rejection(uid, instance.sop_instance_uid, study, note.title.value, instance.received_at)
                for uid in sorted(uids)
            )
            code = f"{note.title}, DCM, {note.title.words}"
            text = f"note {instance.sop_instance_uid} ({code}) rejects {len(uids)} instances"
            tx.journal.add(now, "rejected", text, study=study, revision=self.revision, detail={"title": note.title})
            log.info("instances rejected", extra={"study": study, "instances": len(uids), "title": str(note.title)})
            if tx.studies.find(study) is None:
                continue  # they may still come, and are then left out
            tx.studies.get(study)  # held, so that no job is made of them meanwhile
            ours = self._end_jobs(tx, study, uids, note.title, now)
            if note.title is not Title.RETENTION_EXPIRED and uids - ours:
                tx.studies.reopen(study, now)

    def _end_jobs(self, tx: Transaction, study: str, uids: frozenset[str], title: Title, now: float) -> set[str]:
        """End what hangs on the rejected instances; gives the study's results of ours."""
        ours: set[str] = set()
        for job in tx.jobs.of_study(study):
            results = {result.sop_instance_uid for result in tx.results.of_job(job.job_id)}
            ours |= results
            if job.state is JobState.SUPERSEDED:
                continue
            if uids & {uid for source in job.inputs.values() for uid in source["instances"]}:
                self._end(tx, job, title, now)
            elif uids & results:
                self._withdraw_results(tx, job, title, now)
        return ours

    def _end(self, tx: Transaction, job: Job, title: Title, now: float) -> None:
        """The job of a rejected image. Images whose retention has expired were right: what was made of them stays."""
        reason = f"an image behind it was rejected: {title.words}"
        stopped = tx.deliveries.supersede_unsent(job.job_id, now)
        outside = any(one.state in HELD_OUTSIDE for one in tx.deliveries.of_job(job.job_id))
        if title is Title.RETENTION_EXPIRED and job.state is JobState.DONE:
            self._journal(tx, job, now, "delivery stopped", f"{reason}; {stopped} deliveries had not left")
            return
        tx.jobs.supersede(job.job_id, now, reason)
        if outside:
            tx.jobs.mark(job.job_id, JobMark.WITHDRAWN, reason)
        event = "withdrawn" if outside else "superseded"
        self._journal(tx, job, now, event, f"{reason}; {stopped} deliveries had not left and never will")

    def _withdraw_results(self, tx: Transaction, job: Job, title: Title, now: float) -> None:
        """Our own result was rejected: it is not made again of the same images, and goes nowhere else.

        One whose retention has expired there was right: later studies are compared with it as before.
        """
        stopped = tx.deliveries.supersede_unsent(job.job_id, now)
        if title is Title.RETENTION_EXPIRED:
            text = f"its results were rejected by a note: {title.words}; {stopped} deliveries had not left"
            self._journal(tx, job, now, "delivery stopped", text)
            return
        tx.jobs.mark(job.job_id, JobMark.WITHDRAWN, "its results were rejected by a note")
        self._journal(tx, job, now, "withdrawn", f"its results were rejected by a note: {title.words}")

    def _journal(self, tx: Transaction, job: Job, now: float, event: str, text: str) -> None:
        tx.journal.add(now, event, text, study=job.study_instance_uid, job=job.job_id, revision=self.revision)
