"""Takes audit messages off the hands of whoever works: they are made and spooled in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from dicom_node.audit.ledger import Ledger
from dicom_node.audit.spool import Spool
from storage.database import Database

log = logging.getLogger(__name__)

MOST_IN_MEMORY = 10_000  # messages, some kilobytes each
RETRY_S = 2.0
CLOSE_S = 5.0

Make = Callable[[], bytes]


class Writer:
    """Writes in the order of `put`. A disk that fails is tried again, and what does not fit meanwhile is counted lost.

    What is written is copied into `database`, where the console lists it. The thread starts with the first message.
    Neither `put` nor a full disk ever stops the caller.
    """

    def __init__(
        self,
        spool: Spool,
        database: Database | None = None,
        *,
        most_in_memory: int = MOST_IN_MEMORY,
        retry_s: float = RETRY_S,
    ) -> None:
        self._spool = spool
        self._ledger = Ledger(database) if database else None
        self._most = most_in_memory
        self._retry_s = retry_s
        self._queue: deque[Make] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._lost = 0
        self._trouble = ""

    def put(self, make: Make) -> None:
        """Have `make()` called and its message kept, soon."""
        with self._news:
            if self._closing or len(self._queue) >= self._most:
                self._lose(1, "they came too fast")
                return
            self._queue.append(make)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
                self._thread.start()
            self._news.notify()

    def close(self, patience_s: float = CLOSE_S) -> None:
        """Write what waits, however much; where nothing more is written for `patience_s`, it is lost, and told."""
        with self._news:
            self._closing = True
            self._news.notify()
            thread = self._thread
        waiting = -1
        while thread is not None and thread.is_alive() and waiting != len(self._queue):
            waiting = len(self._queue)
            thread.join(patience_s)
        with self._news:
            if self._queue:
                self._lose(len(self._queue), "the disk does not answer")
                self._queue.clear()

    def state(self) -> dict[str, object]:
        """How many messages wait in memory, how many were lost, and what the trouble is."""
        return {"in_memory": len(self._queue), "lost": self._lost, "trouble": self._trouble}

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._queue:
                    if self._closing:
                        return
                    self._news.wait()
                make = self._queue[0]
            if self._written(make):
                with self._news:
                    if self._queue and self._queue[0] is make:
                        self._queue.popleft()
            elif self._closing:
                return
            else:
                time.sleep(self._retry_s)

    def _written(self, make: Make) -> bool:
        try:
            message = make()
            self._spool.write(message)
        except OSError as error:
            if not self._trouble:
                log.error("audit messages cannot be written and wait in memory: %s", error.strerror)  # noqa: TRY400
            self._trouble = f"cannot be written: {error.strerror}"
            return False
        if self._trouble:
            log.warning("audit messages can be written again")
            self._trouble = ""
        if self._ledger is not None:
            self._ledger.keep(message)
        return True

    def _lose(self, number: int, otherwise: str) -> None:
        self._lost += number
        if self._lost == number or self._lost % 1000 == 0:
            log.error("%d audit messages were lost: %s", self._lost, self._trouble or otherwise)
