"""Keeps a lease alive while its owner waits for somebody else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from storage.database import Database, Transaction
from storage.errors import LeaseLost, Unavailable

log = logging.getLogger(__name__)


class Renewal:
    """Calls `renew` every third of the lease's term, in a thread and a transaction of its own.

    A lost lease is not fatal here: ending the work checks the owner again, in the same commit as what it changes.
    """

    def __init__(self, database: Database, renew: Callable[[Transaction, float], None], term_s: float) -> None:
        self._database = database
        self._renew = renew
        self._term_s = term_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="renewal", daemon=True)

    def __enter__(self) -> Renewal:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._stop.wait(self._term_s / 3):
            try:
                with self._database.transaction() as tx:
                    self._renew(tx, time.time())
            except Unavailable as trouble:
                log.warning("lease not renewed yet: %s", trouble)
            except LeaseLost as lost:
                log.warning("%s", lost)
                return
