"""Results and failures, told to webhooks as the journal has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dicom_node.alerts.channels import channels_for, moment, queue
from dicom_node.settings.alerts import AlertSettings
from storage.database import Database, Transaction
from storage.records import JournalEntry

WATCH = "events"
TOLD = {"done": "result", "failed": "failed", "refused": "failed", "delivery dead": "failed"}
PAGE = 500


@dataclass(frozen=True)
class Events:
    """Follows the journal from when it first looks. `node` and `address` name us in messages."""

    database: Database
    settings: AlertSettings
    node: str
    address: str

    def step(self, now: float) -> bool:
        """Queue what is new for who wants it; whether there was anything new.

        Whoever asks to be told is told what happens from now on; where nobody does, that is forgotten.
        """
        wanted = {event: channels_for(event, self.settings) for event in ("result", "failed")}
        with self.database.reading() as tx:
            seen = tx.notices.watched(WATCH)
            entries, until = tx.journal.follow(seen, PAGE)
        if not any(wanted.values()):
            if seen is not None:
                with self.database.transaction() as tx:
                    tx.notices.unwatch(WATCH)
            return False
        if until != seen:
            with self.database.transaction() as tx:
                for entry in entries:
                    event = TOLD.get(entry.event)
                    if event and entry.job_id:
                        queue(tx, wanted[event], f"entry {entry.entry_id}", self._payload(tx, event, entry), now)
                tx.notices.watch(WATCH, until)
        return bool(entries)

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
