"""PENDING → SENT or DEAD: one job's objects to one destination, tried again while that makes sense."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from dicom_node.destinations.base import Destination
from dicom_node.errors import Refused, Unreachable
from dicom_node.pipeline.backoff import Backoff
from storage.archive import Archive
from storage.database import Database, Transaction
from storage.lifecycle import CommitmentState
from storage.records import Commitment, Delivery, Reference, ResultObject

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deliver:
    """Sends what is due. The destinations named in `commit` are then asked to take responsibility for it."""

    database: Database
    archive: Archive
    destinations: Mapping[str, Destination]
    backoff: Backoff
    owner: str
    lease_term_s: float
    commit: Collection[str] = ()
    commit_after_s: float = 0.0
    revision: int = 0
    clock: Callable[[], float] = time.time
    name: str = "deliver"

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.deliveries.due(now):
                return False
        with self.database.transaction() as tx:
            delivery = tx.deliveries.claim(self.owner, now, self.lease_term_s)
            if delivery is None:
                return False
            objects = tx.results.of_job(delivery.job_id)
            last = tx.commitments.newest_of(delivery.delivery_id)
        destination = self.destinations.get(delivery.destination)
        if destination is None:
            self._dead(delivery, f"no destination {delivery.destination} is configured any more")
            return True
        try:
            statuses = destination.deliver([self.archive.path(item.file) for item in _missing(objects, last)])
        except Unreachable as trouble:
            self._later(delivery, str(trouble))
        except Refused as refusal:
            self._dead(delivery, str(refusal))
        else:
            self._sent(delivery, objects, {uid: str(status) for uid, status in statuses.items()})
        return True

    def _sent(self, delivery: Delivery, objects: Sequence[ResultObject], statuses: dict[str, str]) -> None:
        now = self.clock()
        warnings = sorted({text for text in statuses.values() if not text.startswith("0x0000")})
        reason = f"stored with warning: {'; '.join(warnings)}" if warnings else ""
        with self.database.transaction() as tx:
            tx.deliveries.sent(delivery.delivery_id, self.owner, now, statuses, reason=reason)
            text = f"{len(statuses)} objects to {delivery.destination}"
            self._journal(tx, delivery, now, "delivered", f"{text}; {reason}" if reason else text)
            if delivery.destination in self.commit:
                tx.commitments.add(
                    delivery.destination,
                    [Reference(item.sop_class_uid, item.sop_instance_uid) for item in objects],
                    now,
                    due_at=now + self.commit_after_s,
                    study_uid=delivery.study_instance_uid,
                    delivery_id=delivery.delivery_id,
                )
        log.info("delivered", extra={"study": delivery.study_instance_uid, "destination": delivery.destination})

    def _later(self, delivery: Delivery, reason: str) -> None:
        if delivery.attempts >= self.backoff.attempts:
            self._dead(delivery, f"given up after {delivery.attempts} attempts: {reason}")
            return
        now = self.clock()
        wait = self.backoff.wait_s(delivery.attempts, random.random())  # noqa: S311 (spreads load, guards nothing)
        with self.database.transaction() as tx:
            tx.deliveries.postpone(delivery.delivery_id, self.owner, now + wait, reason, {})
            self._journal(tx, delivery, now, "delivery postponed", f"{reason}; next attempt in {wait:.0f} s")
        log.warning("delivery postponed", extra={"destination": delivery.destination, "job": delivery.job_id})

    def _dead(self, delivery: Delivery, reason: str) -> None:
        now = self.clock()
        with self.database.transaction() as tx:
            tx.deliveries.dead(delivery.delivery_id, self.owner, now, reason, {})
            self._journal(tx, delivery, now, "delivery dead", reason)
        log.error("delivery dead", extra={"destination": delivery.destination, "job": delivery.job_id})

    def _journal(self, tx: Transaction, delivery: Delivery, now: float, event: str, text: str) -> None:
        tx.journal.add(
            now, event, text, study=delivery.study_instance_uid, job=delivery.job_id, revision=self.revision
        )


def _missing(objects: Sequence[ResultObject], last: Commitment | None) -> Sequence[ResultObject]:
    """Those that the destination said it does not hold; all of them where it said nothing of the kind."""
    if last is None or last.report is None or last.state is not CommitmentState.FAILED:
        return objects
    failed = last.report.failed
    return [item for item in objects if item.sop_instance_uid in failed] or objects
