"""A study that should have had a result by now has none: told once, and once when it is over."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dicom_node.alerts.channels import channels_for, moment, queue
from dicom_node.settings.alerts import AlertSettings
from storage.database import Database, Transaction
from storage.lifecycle import DeliveryState, JobState, StudyState

log = logging.getLogger(__name__)

HORIZON_S = 7 * 86400.0  # beyond the goal; what was asked for before is history when it is first looked at
MOST_NAMED = 50  # in one message


@dataclass(frozen=True)
class Late:
    """Looks for studies whose last image came, or that were asked for again, `goal_minutes` ago.

    `node` and `address` name us in messages.
    """

    database: Database
    settings: AlertSettings
    node: str
    address: str
    revision: int = 0

    def step(self, now: float) -> bool:
        """Raise and resolve what is to be; one message a channel for all that is new."""
        before = now - self.settings.goal_minutes * 60
        since = before - HORIZON_S
        with self.database.reading() as tx:
            if not tx.alerts.late(before, since) and not tx.alerts.over(before):
                return False
        with self.database.transaction() as tx:
            late = [uid for uid in tx.alerts.late(before, since) if tx.alerts.raise_(uid, now)]
            over = [uid for uid in tx.alerts.over(before) if tx.alerts.resolve(uid, now)]
            self._tell(tx, "late", late, now)
            self._tell(tx, "resolved", over, now)
        return True

    def _tell(self, tx: Transaction, event: str, studies: Sequence[str], now: float) -> None:
        if not studies:
            return
        lines = []
        for uid in studies:
            why = self._why(tx, uid) if event == "late" else ""
            text = f"no result after {self.settings.goal_minutes:g} minutes: {why}" if why else "late no more"
            tx.journal.add(now, event, text, study=uid, revision=self.revision)
            lines.append({"study": uid, "why": why, "link": f"{self.address}/studies/{uid}"})
        payload: dict[str, Any] = {
            "event": event,
            "at": moment(now),
            "node": self.node,
            "goal_minutes": self.settings.goal_minutes,
            "count": len(lines),
            "studies": lines[:MOST_NAMED],
        }
        queue(tx, channels_for("late", self.settings), f"{event} {now:.3f} {studies[0]}", payload, now)
        log.warning("studies %s", event, extra={"studies": len(lines)})

    @staticmethod
    def _why(tx: Transaction, uid: str) -> str:
        """In words of ours alone: what peers and models said may hold anything."""
        return "; ".join(dict.fromkeys(_in_words(*one) for one in tx.alerts.why(uid)))


def _in_words(study: StudyState, job: JobState | None, delivery: DeliveryState | None, destination: str) -> str:
    if delivery is not None:
        gone = delivery is DeliveryState.DEAD
        return f"delivery to {destination} {'was given up' if gone else 'waits'}"
    if job is not None:
        return "its job failed" if job is JobState.FAILED else "its job waits or runs"
    return {
        StudyState.RECEIVING: "images may still come",
        StudyState.FETCHING: "its source is asked for images",
    }.get(study, "it waits for dispatch")
