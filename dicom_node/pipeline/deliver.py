"""PENDING → SENT or DEAD: one job's objects to one destination, tried again while that makes sense."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dicom_node.audit.facts import Outcome
from dicom_node.audit.recorder import Recorder
from dicom_node.destinations.base import Destination
from dicom_node.errors import Refused, Unreachable
from storage.archive import Archive
from storage.database import Database, Transaction
from storage.records import Delivery

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backoff:
    """Waiting time between attempts: doubles from `base_s` to `max_s`, given up after `attempts`."""

    base_s: float
    max_s: float
    attempts: int

    def wait_s(self, attempt: int, jitter: float) -> float:
        """Seconds after the `attempt`-th failure (1-based); `jitter` in 0..1 spreads peers that fail together."""
        return float(min(self.max_s, self.base_s * 2 ** min(attempt - 1, 30))) * (0.75 + 0.5 * jitter)


@dataclass(frozen=True)
class Deliver:
    """Sends what is due."""

    database: Database
    archive: Archive
    destinations: Mapping[str, Destination]
    backoff: Backoff
    owner: str
    lease_term_s: float
    revision: int = 0
    clock: Callable[[], float] = time.time
    name: str = "deliver"
    audit: Recorder = field(default_factory=Recorder)

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.deliveries.due(now):
                return False
        with self.database.transaction() as tx:
            delivery = tx.deliveries.claim(self.owner, now, self.lease_term_s)
            if delivery is None:
                return False
            objects = tx.results.of_job(delivery.job_id)
        destination = self.destinations.get(delivery.destination)
        if destination is None:
            self._dead(delivery, f"no destination {delivery.destination} is configured any more")
            return True
        self.audit.delivery_begins(delivery)
        try:
            statuses = destination.deliver([self.archive.path(item.file) for item in objects])
        except Unreachable as trouble:
            self._later(delivery, str(trouble))
        except Refused as refusal:
            self._dead(delivery, str(refusal))
        else:
            self._sent(delivery, {uid: str(status) for uid, status in statuses.items()})
        return True

    def _sent(self, delivery: Delivery, statuses: dict[str, str]) -> None:
        now = self.clock()
        warnings = sorted({text for text in statuses.values() if not text.startswith("0x0000")})
        reason = f"stored with warning: {'; '.join(warnings)}" if warnings else ""
        with self.database.transaction() as tx:
            tx.deliveries.sent(delivery.delivery_id, self.owner, now, statuses, reason=reason)
            text = f"{len(statuses)} objects to {delivery.destination}"
            self._journal(tx, delivery, now, "delivered", f"{text}; {reason}" if reason else text)
        self.audit.delivery_ended(delivery, Outcome.SUCCESS, reason)
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
        self.audit.delivery_ended(delivery, Outcome.MINOR_FAILURE, reason)
        log.warning("delivery postponed", extra={"destination": delivery.destination, "job": delivery.job_id})

    def _dead(self, delivery: Delivery, reason: str) -> None:
        now = self.clock()
        with self.database.transaction() as tx:
            tx.deliveries.dead(delivery.delivery_id, self.owner, now, reason, {})
            self._journal(tx, delivery, now, "delivery dead", reason)
        self.audit.delivery_ended(delivery, Outcome.SERIOUS_FAILURE, reason)
        log.error("delivery dead", extra={"destination": delivery.destination, "job": delivery.job_id})

    def _journal(self, tx: Transaction, delivery: Delivery, now: float, event: str, text: str) -> None:
        tx.journal.add(
            now, event, text, study=delivery.study_instance_uid, job=delivery.job_id, revision=self.revision
        )
