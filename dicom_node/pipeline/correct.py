"""A second content of a known instance is judged: a correction takes the first one's place, or both stay flagged.

A correction is the same picture under another header. It rules from now on. Where it changed what results copy,
nothing that bears the old words leaves any more: waiting jobs are superseded, deliveries that have not left are
stopped, and the study settles anew, so that many corrections in a row are one. What has been delivered is
marked stale, and a person re-issues it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from dicom_node.errors import BadDataset
from dicom_node.network.headers.header import MAX_HEADER_BYTES, Header, read_header
from dicom_node.pipeline.aside import Aside
from dicom_node.pipeline.likeness import Incomparable, Likeness, compare
from storage.archive import Archive
from storage.database import Database, Transaction
from storage.errors import Unavailable
from storage.files.disk import disk_faults
from storage.files.part10 import META_AT
from storage.lifecycle import LEFT, JobMark, JobState
from storage.records import Instance, InstanceKind, Job

log = logging.getLogger(__name__)

BATCH = 50
MOST_NAMES = 20


@dataclass(frozen=True)
class Judged:
    """A second content, the one that counted when it was looked at, and how they compare."""

    new: Instance
    old: Instance
    conflict: str  # why both are kept, "" for a correction
    likeness: Likeness
    header: Header | None = None


@dataclass(frozen=True)
class Correct:
    """Judges second contents of images."""

    database: Database
    archive: Archive
    revision: int = 0
    name: str = "correct"
    aside: Aside = field(default_factory=Aside)

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.versions.any_unread(InstanceKind.IMAGE):
                return False
            waiting: dict[str, Instance] = {}
            for instance in tx.versions.unread(InstanceKind.IMAGE, BATCH, but=self.aside.at(now)):
                waiting.setdefault(instance.sop_instance_uid, instance)  # one after the other, the first first
            current = {uid: tx.versions.find(uid) for uid in waiting}
        with self.aside.watching(self.database, self.name, now, self.revision) as tell:
            judged = []
            for uid, new in waiting.items():
                tell(new.study_instance_uid)
                try:
                    judged.append(self._judge(old, new) if (old := current[uid]) else _alone(new))
                except Unavailable as trouble:
                    self.aside.unread(self.database, new, trouble, now, self.revision)
            with self.database.transaction() as tx:
                for one in judged:
                    tell(one.new.study_instance_uid)
                    self._settle(tx, one, now)
        return bool(waiting)

    def _judge(self, old: Instance, new: Instance) -> Judged:
        where = (old.study_instance_uid, old.series_instance_uid, old.sop_class_uid)
        if where != (new.study_instance_uid, new.series_instance_uid, new.sop_class_uid):
            return Judged(new, old, "it names another study, series or class", Likeness())
        try:
            with self.archive.local([old.file, new.file]) as (first, second):
                likeness = compare(first, old.transfer_syntax_uid, second, new.transfer_syntax_uid)
                if likeness.other_picture:
                    return Judged(new, old, f"they differ in {likeness.other_picture}", likeness)
                return Judged(new, old, "", likeness, _header(second, new.transfer_syntax_uid))
        except (Incomparable, BadDataset) as fault:
            return Judged(new, old, str(fault), Likeness())

    def _settle(self, tx: Transaction, judged: Judged, now: float) -> None:
        new, old = judged.new, judged.old
        tx.studies.hold(old.study_instance_uid)  # so that no job is made of it meanwhile
        counts = tx.versions.find(new.sop_instance_uid)
        changed = old is not new and (counts is None or counts.file.sha256 != old.file.sha256)
        if changed or not tx.versions.mark_read(new):
            return  # another has judged it, or retention has removed it; what is left to do comes again
        if judged.header is None:
            text = f"instance {new.sop_instance_uid} came again and is no correction: {judged.conflict}; both are kept"
            tx.journal.add(
                now,
                "conflict",
                f"{text}, the first one counts",
                study=new.study_instance_uid,
                series=new.series_instance_uid,
                revision=self.revision,
            )
            return
        self._correct(tx, judged, judged.header, now)

    def _correct(self, tx: Transaction, judged: Judged, header: Header, now: float) -> None:
        new, old, likeness = judged.new, judged.old, judged.likeness
        tx.versions.correct(old, new, header.study, copied=likeness.copied)
        names = ", ".join(likeness.changed[:MOST_NAMES]) or "nothing that is named"
        more = f" and {len(likeness.changed) - MOST_NAMES} more" if len(likeness.changed) > MOST_NAMES else ""
        tx.journal.add(
            now,
            "corrected",
            f"instance {new.sop_instance_uid}: same picture, new header; changed: {names}{more}",
            study=new.study_instance_uid,
            series=new.series_instance_uid,
            revision=self.revision,
            detail={"old_sha256": old.file.sha256, "new_sha256": new.file.sha256, "copied": likeness.copied},
        )
        if likeness.copied:
            for job in tx.jobs.of_study(new.study_instance_uid):
                if job.state is not JobState.SUPERSEDED and uses(job, new.sop_instance_uid):
                    self._hold_back(tx, job, now)
        if likeness.copied or new.header != old.header:
            tx.studies.reopen(new.study_instance_uid, new.received_at)
        log.info("instance corrected", extra={"study": new.study_instance_uid, "copied": likeness.copied})

    def _hold_back(self, tx: Transaction, job: Job, now: float) -> None:
        """Nothing that bears the old words leaves any more; what has left for all its destinations is stale."""
        if job.state not in (JobState.PENDING, JobState.DONE) or job.mark is not JobMark.NONE:
            return
        deliveries = tx.deliveries.of_job(job.job_id)
        if deliveries and all(one.state in LEFT for one in deliveries):
            out = f"segnode reissue {job.study_instance_uid}"
            reason = f"its results were delivered before the header that they copy was corrected; `{out}`"
            tx.jobs.mark(job.job_id, JobMark.STALE, reason)
            self._journal(tx, job, now, "stale", reason)
            return
        reason = "a correction changed the header that its results copy"
        tx.jobs.supersede(job.job_id, now, reason)  # first, so that one that is just leaving is not tried again
        stopped = tx.deliveries.supersede_unsent(job.job_id, now)
        self._journal(tx, job, now, "superseded", f"{reason}; {stopped} deliveries had not left and never will")

    def _journal(self, tx: Transaction, job: Job, now: float, event: str, text: str) -> None:
        tx.journal.add(now, event, text, study=job.study_instance_uid, job=job.job_id, revision=self.revision)


def _alone(new: Instance) -> Judged:
    """Nothing counts beside it any more: a content of another study's image that retention has removed."""
    return Judged(new, new, "the content that it differs from was removed by retention", Likeness())


def _header(path: Path, syntax: str) -> Header:
    with disk_faults(), path.open("rb") as file:
        head = file.read(META_AT)
        file.seek(META_AT + int.from_bytes(head[-4:], "little"))
        content = file.read(MAX_HEADER_BYTES)
    return read_header(content, syntax)


def uses(job: Job, sop_uid: str) -> bool:
    """Whether the instance is one of the job's inputs."""
    return any(sop_uid in source["instances"] for source in job.inputs.values())
