"""Tells the database that a role is alive, what it has counted, and which heavy libraries its process has loaded."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable

from dicom_node.counting import Counts
from storage.database import Database
from storage.errors import StorageError

log = logging.getLogger(__name__)

BEAT_S = 2.0
HEAVY = ("torch", "monai", "ray", "highdicom", "pynetdicom", "SimpleITK", "sqlalchemy", "psycopg")


def loaded_modules() -> tuple[str, ...]:
    """Which of the heavy libraries this process has imported."""
    return tuple(name for name in HEAVY if name in sys.modules)


class Heartbeat:
    """A row a process, renewed every `BEAT_S` seconds by a thread of its own."""

    def __init__(self, database: Database, role: str, counts: Counts | None = None) -> None:
        self._database = database
        self._counts = counts or Counts()
        self._role = role
        self._facts: dict[str, Callable[[], object]] = {}
        self._started_at = time.time()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def tell(self, name: str, fact: Callable[[], object]) -> None:
        """Add a fact that is asked for at every beat, such as the worker processes of now."""
        self._facts = self._facts | {name: fact}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the beat and take the row away: the role has ended on purpose."""
        self._stop.set()
        self._thread.join()
        try:
            with self._database.transaction() as tx:
                tx.processes.gone(os.getpid(), socket.gethostname())
                tx.counters.add(self._counts.take())
        except StorageError as trouble:
            log.warning("heartbeat row not removed: %s", trouble)

    def _run(self) -> None:
        while True:
            counted = self._counts.take()
            try:
                with self._database.transaction() as tx:
                    tx.counters.add(counted)
                    tx.processes.beat(
                        self._role,
                        os.getpid(),
                        socket.gethostname(),
                        self._started_at,
                        time.time(),
                        loaded_modules(),
                        {name: fact() for name, fact in self._facts.items()},
                    )
            except StorageError as trouble:
                self._counts.give_back(counted)
                log.warning("heartbeat not written: %s", trouble)
            if self._stop.wait(BEAT_S):
                return
