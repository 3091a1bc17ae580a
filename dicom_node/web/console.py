"""What the routes share: the node's parts, whose cookies are ours, how passwords are kept, what time it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from dicom_node.assembly import Parts
from dicom_node.running.reload import Watch
from dicom_node.settings.web import WebSettings
from dicom_node.web.cookies import Cookies
from dicom_node.web.metrics import Metrics
from dicom_node.web.passwords import Passwords
from dicom_node.web.pictures import Pictures
from dicom_node.web.seen import Seen


@dataclass(frozen=True)
class Console:
    """One process of the console. `stop` is set when it is to end."""

    watch: Watch
    cookies: Cookies
    passwords: Passwords
    clock: Callable[[], float]
    stop: threading.Event
    seen: Seen = field(default_factory=Seen)
    metrics: Metrics = field(default_factory=Metrics)
    pictures: Pictures = field(default_factory=Pictures)

    @property
    def parts(self) -> Parts:
        """The node's parts, under the newest configuration that can be used without a restart."""
        return self.watch.parts

    @property
    def settings(self) -> WebSettings:
        return self.parts.settings.node.web


def console_of(request: Request) -> Console:
    """The console that answers this request."""
    console: Console = request.app.state.console
    return console
