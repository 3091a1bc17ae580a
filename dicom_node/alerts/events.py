"""Results and failures, told to webhooks as the journal has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dicom_node.alerts.channels import channels_for, moment, queue
from dicom_node.settings.alerts import AlertSettings
from storage.database import Database, Transaction
from storage.records import JournalEntry

WATCH, BEGAN = "events", "events began"
TOLD = {"done": "result", "failed": "failed", "refused": "failed", "delivery dead": "failed"}
PAGE = 500
OVERLAP = 200  # entries that are looked at twice: with PostgreSQL a later one may be seen first
OVERLAP_S = 3600.0  # and what is older is not: that it was told may be forgotten by then (tell.KEPT_S)


@dataclass(frozen=True)
class Events:
    """Follows the journal from when it first looks. `node` and `address` name us in messages."""

    database: Database
    settings: AlertSettings
    node: str
    address: str

    def step(self, now: float) -> bool:
        """Queue what is new for who wants it; whether there was anything new."""
        wanted = {event: channels_for(event, self.settings) for event in ("result", "failed")}
        with self.database.reading() as tx:
            newest, seen = tx.journal.newest(), tx.notices.watched(WATCH)
        if seen is None or not any(wanted.values()) or newest < seen:
            return self._begin(newest, now, follow=any(wanted.values()), followed=seen is not None)
        if newest == seen:
            return False
        with self.database.transaction() as tx:
            began = tx.notices.watched(BEGAN) or now
            entries = tx.journal.since(max(0, int(seen) - OVERLAP), PAGE + OVERLAP)
            for entry in entries:
                event = TOLD.get(entry.event)
                new = entry.entry_id > seen or entry.at > now - OVERLAP_S
                if event and entry.job_id and entry.at >= began and new:
                    queue(tx, wanted[event], f"entry {entry.entry_id}", self._payload(tx, event, entry), now)
            tx.notices.watch(WATCH, entries[-1].entry_id if entries else newest)
        return True

    def _begin(self, newest: int, now: float, *, follow: bool, followed: bool) -> bool:
        """Whoever asks to be told is told what happens from now on; where nobody does, that is forgotten."""
        if not follow and not followed:
            return False
        with self.database.transaction() as tx:
            if follow:
                tx.notices.watch(WATCH, newest)
                tx.notices.watch(BEGAN, now)
            else:
                tx.notices.unwatch(WATCH)
        return False

    def _payload(self, tx: Transaction, event: str, entry: JournalEntry) -> dict[str, Any]:
        """Who and where; not why, since reasons are others' words."""
        job = tx.jobs.find(entry.job_id)
        named = {"route": job.route, "task": job.task, "model": job.model} if job else {}
        return {
            "event": event,
            "what": entry.event,
            "at": moment(entry.at),
            "node": self.node,
            "study": entry.study_instance_uid,
            "job": entry.job_id,
            **named,
            "link": f"{self.address}/studies/{entry.study_instance_uid}",
        }
