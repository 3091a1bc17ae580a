"""Work that waits is told to every process of every machine, so that an idle one need not ask often.

PostgreSQL's LISTEN and NOTIFY: who queues work rings in the same transaction, and it is heard once that is committed.
Images do not ring, there are too many of them, and what they make is not due before its quiet time. A ring may be
missed while a connection is lost, so nobody may count on it. SQLite has no bell: its processes ask.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

log = logging.getLogger(__name__)

CHANNEL = "segnode_work"  # of one database: other nodes have others
NOTIFY = text(f"NOTIFY {CHANNEL}")
LOOK_S = 0.5  # how soon a listener sees that it is to end
AGAIN_S = 2.0  # before a lost connection is made anew


def ring(connection: Connection) -> None:
    """Have the commit of this transaction wake who waits for work; many rings in one are one."""
    if connection.dialect.name == "postgresql":
        connection.execute(NOTIFY)


class Ear:
    """Calls `heard` at each ring, in a thread of its own, and where it may have missed some."""

    def __init__(self, engine: Engine, heard: Callable[[], None]) -> None:
        self._engine = engine
        self._heard = heard
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)

    def start(self) -> None:
        """Listen until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        library = self._engine.dialect.loaded_dbapi.Error
        while not self._stop.is_set():
            try:
                self._listen()
            except (DBAPIError, library) as trouble:
                log.warning("the bell is not heard, work is looked for without it: %s", type(trouble).__name__)
                self._stop.wait(AGAIN_S)

    def _listen(self) -> None:
        pooled = self._engine.raw_connection()
        connection = pooled.driver_connection
        assert connection is not None
        pooled.detach()  # ours alone, and closed by us
        try:
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            self._heard()  # what was rung while nobody listened
            while not self._stop.is_set():
                for _ in connection.notifies(timeout=LOOK_S, stop_after=1):
                    self._heard()
        finally:
            connection.close()
