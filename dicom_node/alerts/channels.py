"""Which channels there are, and which of them is told of what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from dicom_node.settings.alerts import AlertSettings
from storage.database import Transaction

MAIL, WEBHOOK = "mail", "webhook:"


def channels_for(event: str, settings: AlertSettings) -> list[str]:
    """The channels that are told of an event: late, result or failed."""
    hooks = [f"{WEBHOOK}{name}" for name, hook in settings.webhooks.items() if event in hook.events]
    return [MAIL, *hooks] if settings.mail is not None and event == "late" else hooks


def queue(tx: Transaction, channels: Iterable[str], key: str, payload: Mapping[str, Any], now: float) -> None:
    """Have each channel told once of what `key` names, in the commit of what is told."""
    for channel in channels:
        tx.notices.add(channel, key, payload, now)


def moment(at: float) -> str:
    """A point in time as programs read it: 2026-01-02T10:15:00Z."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
