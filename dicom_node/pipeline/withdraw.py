"""Destinations that follow IHE IOCM are told which results of ours are no longer valid.

The note on a superseded job's results is a job of its own, DONE from the start: it is delivered, retried and
shown like any result. Its name derives from that of the job that it rejects and from the objects that it names: those
that its destination said it keeps and no others, since an archive may refuse a note whole that names what it never got
(dcm4chee: 0xA772). A delivery that never ended whole has left a part. The note also goes to whoever took the
results, which may be an alternative of the destination that they were meant for, and to nobody in its place.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dicom_node.errors import ResultInvalid
from dicom_node.objects.context import Replaced
from dicom_node.objects.encode import Encoded
from dicom_node.pipeline.aside import Aside
from storage.archive import Archive
from storage.database import Database, Transaction
from storage.errors import Damaged, NotFound, Unavailable
from storage.files.disk import disk_faults
from storage.lifecycle import LEFT, DeliveryState, JobState
from storage.records import Job, ResultObject, StoredFile

log = logging.getLogger(__name__)

TASK = "rejection note"
EVERY_S = 2.0

Encode = Callable[[str, Sequence[Replaced], Path, str, float], Encoded]  # note's job, rejected, subject, reason, now


def note_job_id(job_id: str, uids: Collection[str]) -> str:
    """The name of the job whose result rejects these objects of `job_id`."""
    return hashlib.sha256("|".join(["rejection", job_id, *sorted(uids)]).encode()).hexdigest()


@dataclass
class Withdraw:
    """Makes the rejection notes that are owed to `destinations`."""

    database: Database
    archive: Archive
    destinations: frozenset[str]
    encode: Encode
    revision: int = 0
    name: str = "withdraw"
    aside: Aside = field(default_factory=Aside)
    _next_look: float = field(default=float("-inf"), init=False)

    def step(self, now: float) -> bool:
        if not self.destinations or now < self._next_look:
            return False
        with self.database.reading() as tx:
            owed = tx.rejections.owed(self.destinations, but=self.aside.at(now))
            superseded = [(tx.jobs.get(job_id), _by_objects(tx, job_id, owed[job_id])) for job_id in owed]
        with self.aside.watching(self.database, self.name, now, self.revision) as tell:
            for job, told in superseded:
                tell(study := job.study_instance_uid)
                try:
                    for uids, destinations in told.items():
                        self._tell(job, uids, destinations, now)
                except Unavailable as trouble:
                    text = f"a rejection note is made later: {trouble}"
                    self.aside.waits(self.database, study, text, study, now, self.revision)
        if not owed:
            self._next_look = now + EVERY_S  # the look is no light one where many jobs were superseded
        return bool(owed)

    def _tell(self, old: Job, uids: Collection[str], destinations: Sequence[str], now: float) -> None:
        job_id = note_job_id(old.job_id, uids)
        with self.database.reading() as tx:
            known = tx.jobs.find(job_id)
            results = [one for one in tx.results.of_job(old.job_id) if one.sop_instance_uid in uids]
            subject = self._subject(tx, old, results)
        note, made = known or _job(job_id, old, now), None
        if known is None:
            try:
                made = self._encode(note, old, results, subject, now)
            except ResultInvalid as wrong:
                self._give_up(note, str(wrong), now)
                return
        with self.database.transaction() as tx:
            tx.jobs.add(note)
            if made is not None:
                tx.results.add(made)
                self.archive.confirm(made.file)
            for destination in destinations:
                tx.deliveries.add(note.job_id, old.study_instance_uid, destination, DeliveryState.PENDING, now)
                what = f"results of route {old.route}, generation {old.generation}"
                self._journal(tx, note, now, "rejection note", f"{destination} is told that {what} are no longer valid")
        log.info("rejection note made", extra={"study": old.study_instance_uid, "job": note.job_id})

    def _encode(
        self, note: Job, old: Job, results: Sequence[ResultObject], subject: StoredFile | None, now: float
    ) -> ResultObject:
        if subject is None:
            raise ResultInvalid("nothing of the study is held any more that says whose it is")
        rejected = [
            Replaced(one.kind, one.sop_class_uid, one.sop_instance_uid, one.series_instance_uid) for one in results
        ]
        with self.archive.local([subject]) as (path,), disk_faults():
            made = self.encode(note.job_id, rejected, path, f"No longer valid: {old.reason}", now)
        file = self.archive.write(old.study_instance_uid, made.sop_instance_uid, [made.part10], ours=True)
        uids = (made.sop_instance_uid, made.sop_class_uid, made.series_instance_uid)
        return ResultObject(*uids, note.job_id, made.kind, file)

    def _subject(self, tx: Transaction, old: Job, results: Sequence[ResultObject]) -> StoredFile | None:
        """The file whose patient and study the note bears: an image's newest header, or else whatever is held whole.

        None where retention has removed all.
        """
        return next((file for file in self._subjects(tx, old, results) if self._is_whole(file)), None)

    def _is_whole(self, file: StoredFile) -> bool:
        with suppress(NotFound, Damaged), self.archive.local([file], checked=True):
            return True
        return False

    def _subjects(self, tx: Transaction, old: Job, results: Sequence[ResultObject]) -> Iterator[StoredFile]:
        for source in old.inputs.values():
            for uid in source["instances"]:
                with suppress(NotFound):
                    yield tx.versions.current(uid).file
        yield from (one.file for one in results)
        yield from (one.file for one in tx.studies.instances(study_uid=old.study_instance_uid))

    def _give_up(self, note: Job, reason: str, now: float) -> None:
        """Written down, and not tried again: nothing that it is made of changes any more."""
        with self.database.transaction() as tx:
            tx.jobs.add(replace(note, state=JobState.SUPERSEDED, reason=reason))
            self._journal(tx, note, now, "rejection note failed", reason)
        log.error("rejection note not made: %s", reason, extra={"study": note.study_instance_uid})

    def _journal(self, tx: Transaction, job: Job, now: float, event: str, text: str) -> None:
        tx.journal.add(now, event, text, study=job.study_instance_uid, job=job.job_id, revision=self.revision)


def _by_objects(tx: Transaction, job_id: str, destinations: Sequence[str]) -> dict[frozenset[str], list[str]]:
    """Those destinations by the job's objects that each of them holds, be it in another's place."""
    held = tx.parts.of_job(job_id)
    for delivery in tx.deliveries.of_job(job_id):
        if delivery.state in LEFT:
            objects = tx.results.of_job(job_id, delivery.variant)
            held.setdefault(delivery.holder, set()).update(one.sop_instance_uid for one in objects)
    found: dict[frozenset[str], list[str]] = {}
    for holder in destinations:
        found.setdefault(frozenset(held[holder]), []).append(holder)
    return found


def _job(job_id: str, old: Job, now: float) -> Job:
    return Job(
        job_id=job_id,
        study_instance_uid=old.study_instance_uid,
        generation=old.generation,
        route="",
        task=TASK,
        model="",
        state=JobState.DONE,
        priority=old.priority,
        inputs={},
        parameters={},
        created_at=now,
        finished_at=now,
        progress=1.0,
        rejects=old.job_id,
    )
