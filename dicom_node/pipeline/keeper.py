"""Keeps a lease alive while its owner works or waits for somebody else, and tells a job's progress on the way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from dicom_node.pipeline.beside import Beside
from storage.database import Database, Transaction
from storage.errors import LeaseLost, Unavailable

log = logging.getLogger(__name__)

TELL_EVERY_S = 0.5


class Keeper(Beside):
    """Calls `renew` every third of a lease's term, sooner when there is news to tell, in a transaction of its own.

    A lost lease is not fatal here: ending the work checks the owner again, in the same commit as its
    result, and that is where work done in vain is dropped.
    """

    def __init__(self, database: Database, renew: Callable[[Transaction], None], term_s: float) -> None:
        super().__init__("lease-keeper")
        self._database = database
        self._renew = renew
        self._term_s = term_s
        self._news = threading.Event()

    def _leave(self) -> None:
        super()._leave()
        self._news.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._news.wait(self._term_s / 3)
            self._news.clear()
            if self._stop.is_set():
                return
            try:
                with self._database.transaction() as tx:
                    self._renew(tx)
            except Unavailable as trouble:
                log.warning("lease not renewed yet: %s", trouble)
            except LeaseLost as lost:
                log.warning("%s", lost)
                return
            self._stop.wait(TELL_EVERY_S)


class LeaseKeeper(Keeper):
    """Keeps a job, and tells how far it is."""

    def __init__(self, database: Database, job_id: str, owner: str, term_s: float) -> None:
        super().__init__(database, self._renew_job, term_s)
        self._job_id = job_id
        self._owner = owner
        self._progress: tuple[float, str] = (0.0, "")

    def report(self, fraction: float, step: str) -> None:
        """Note progress (0..1) and the name of the step; cheap, called from the executor."""
        self._progress = (fraction, step)
        self._news.set()

    def _renew_job(self, tx: Transaction) -> None:
        fraction, step = self._progress
        tx.jobs.renew(self._job_id, self._owner, time.time(), self._term_s, progress=fraction, step=step)
