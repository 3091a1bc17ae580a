"""PENDING → DEAD without an attempt: deliveries that have waited too long, or for a destination that is no more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from storage.database import Database
from storage.records import Delivery

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
DAY_S = 86400.0


@dataclass
class GiveUp:
    """Ends what is hopeless, so that a person sees it among the dead letters. `destinations` are those that exist.

    `ages` gives the moment by which is counted how long one has waited.
    """

    database: Database
    destinations: Collection[str]
    after_s: float
    revision: int = 0
    name: str = "give-up"
    ages: Callable[[float], float] = lambda now: now
    _next_look_at: float = field(default=0.0, init=False)

    def step(self, now: float) -> bool:
        if now < self._next_look_at:
            return False
        with self.database.reading() as tx:
            hopeless = tx.outbox.hopeless(now, self.ages(now) - self.after_s, self.destinations)
        if not hopeless:
            self._next_look_at = now + LOOK_EVERY_S
            return False
        for delivery in hopeless:
            self._end(delivery, now)
        return True

    def _end(self, delivery: Delivery, now: float) -> None:
        if delivery.destination in self.destinations:
            said = delivery.reason or "it was never tried"
            reason = f"given up after {(now - delivery.queued_at) / DAY_S:.1f} days: {said}"
        else:
            reason = f"no destination {delivery.destination} is configured any more"
        with self.database.transaction() as tx:
            if tx.deliveries.give_up(delivery.delivery_id, now, reason):
                study, text = delivery.study_instance_uid, f"{delivery.destination}: {reason}"
                tx.journal.add(now, "delivery dead", text, study=study, job=delivery.job_id, revision=self.revision)
                log.error("delivery dead", extra={"destination": delivery.destination, "job": delivery.job_id})
