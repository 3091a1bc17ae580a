"""Sends what the spool holds to the collector, in order, again after an outage, and says how it goes.

Every role has a sender, since roles may run on machines that share no disk, where each spool is its own machine's. Of
those that share one, the first sends and the others stand by.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from dicom_node.audit.spool import Spool
from dicom_node.audit.syslog import syslog_message
from dicom_node.errors import Unfinished, Unreachable

log = logging.getLogger(__name__)

BATCH = 500  # at most; half as many after one that was not read in time, and slowly more again
FIRST_PAUSE_S = 5.0  # after a failure; doubled up to the longest
LONGEST_PAUSE_S = 300.0
BOUND_EVERY_S = 300.0
STEP_EVERY_S = 5.0
LAST_S = 5.0  # for what waits when its process ends; the rest stays in the spool


class Collector(Protocol):
    """Takes messages of RFC 5424; Unreachable unless all have arrived, Unfinished where they are too many at a time."""

    def send(self, messages: Sequence[bytes]) -> None: ...


class Sender:
    """Without a collector it only keeps the spool within its bounds; without the spool's place it does nothing."""

    def __init__(
        self,
        spool: Spool,
        collector: Collector | None,
        host: str = "",
        clock: Callable[[], float] = time.time,
        ages: Callable[[float], float] = lambda now: now,
    ) -> None:
        self._spool = spool
        self._collector = collector
        self._host = host or socket.gethostname()
        self._clock = clock
        self._ages = ages
        self._batch = BATCH
        self._pause_s = 0.0
        self._failed_at = 0.0
        self._bounded_at = float("-inf")
        self._trouble = ""
        self._sent = 0
        self._over = threading.Event()
        self._until = float("inf")  # of time.monotonic
        self._thread = threading.Thread(target=self._run, name="audit-sender", daemon=True)

    def start(self) -> None:
        """Take steps from now on, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End, and send for a moment what was written last: the disk may go with this process."""
        self._until = time.monotonic() + LAST_S
        self._over.set()
        self._thread.join()
        self.step()
        self._spool.leave()

    def step(self) -> None:
        """Send all that waits, unless a pause after a failure lasts; then see to the spool's bounds."""
        try:
            if self._spool.claim():
                self._send_and_bound(self._clock())
        except OSError as error:
            self._failed(f"whose turn it is to read the spool cannot be asked: {error.strerror}")

    def _send_and_bound(self, now: float) -> None:
        try:
            if self._collector is not None and abs(now - self._failed_at) >= self._pause_s:  # it may be set back
                self._send_all(self._collector)
        except Unreachable as trouble:
            self._failed(str(trouble))
        except OSError as error:
            self._failed(f"the spool cannot be read: {error.strerror}")
        if abs(now - self._bounded_at) >= BOUND_EVERY_S:
            self._bounded_at = now
            self._bound(now)

    def _run(self) -> None:
        while not self._over.is_set():
            self.step()
            self._over.wait(STEP_EVERY_S)

    def _bound(self, now: float) -> None:
        try:
            self._spool.bound(self._ages(now))
        except OSError as error:
            log.error("the audit spool cannot be kept within its bounds: %s", error.strerror)  # noqa: TRY400

    def _send_all(self, collector: Collector) -> None:
        while batch := self._spool.waiting(self._batch):
            try:
                collector.send([syslog_message(one.path.read_bytes(), one.at, self._host, one.pid) for one in batch])
            except Unfinished:
                self._batch = max(1, len(batch) // 2)
                raise
            for one in batch:
                self._spool.remove(one)
            self._batch = min(BATCH, self._batch + 1 + self._batch // 16)
            self._succeeded(len(batch))
            if time.monotonic() >= self._until:
                return

    def state(self) -> dict[str, object]:
        """How many this process has sent, and what keeps it from sending."""
        return {"sent": self._sent, "trouble": self._trouble}

    def _failed(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.error("audit messages wait in %s: %s", self._spool.folder, trouble)
        self._trouble = trouble
        self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
        self._failed_at = self._clock()

    def _succeeded(self, number: int) -> None:
        if self._trouble:
            log.warning("audit messages are sent again")
        self._trouble, self._pause_s = "", 0.0
        self._sent += number
