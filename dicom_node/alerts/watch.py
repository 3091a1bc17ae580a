"""Everything about alerts that the clock does, put together of the node's parts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from dicom_node.alerts.channels import MAIL, WEBHOOK
from dicom_node.alerts.events import Events
from dicom_node.alerts.late import Late
from dicom_node.alerts.mail import Mail
from dicom_node.alerts.tell import Channel, Tell
from dicom_node.alerts.webhook import Webhook
from dicom_node.running.clock import Chore, keep

if TYPE_CHECKING:
    from dicom_node.assembly import Parts

LATE_EVERY_S, EVENTS_EVERY_S, TELL_EVERY_S, FORGET_EVERY_S = 30.0, 5.0, 5.0, 3600.0


def chores(now: Callable[[], Parts], owner: str) -> list[Chore]:
    """What the clock does about late studies, events and notices; `now` gives the parts that are in use."""
    parts = now()
    node, settings = parts.settings.node, parts.settings.node.alerts
    channels: dict[str, Channel] = {f"{WEBHOOK}{name}": Webhook(hook) for name, hook in settings.webhooks.items()}
    if settings.mail is not None:
        channels[MAIL] = Mail(settings.mail)
    late = Late(parts.database, settings, node.ae_title, node.web.address)
    events = Events(parts.database, settings, node.ae_title, node.web.address)
    tell = Tell(parts.database, channels, owner)

    def late_studies() -> None:
        replace(late, revision=now().revision).step(time.time())

    def results_and_failures() -> None:
        events.step(time.time())

    def notices() -> None:
        replace(tell, revision=now().revision).step(time.time())

    def old_notices() -> None:
        tell.forget(time.time())

    return [
        Chore("late", LATE_EVERY_S, lambda: keep(late_studies)),
        Chore("events", EVENTS_EVERY_S, lambda: keep(results_and_failures)),
        Chore("notices", TELL_EVERY_S, lambda: keep(notices)),
        Chore("old notices", FORGET_EVERY_S, lambda: keep(old_notices)),
    ]
