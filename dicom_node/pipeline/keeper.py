"""Keeps a job's lease alive while it runs, and tells its progress on the way."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType

from storage.database import Database
from storage.errors import LeaseLost, Unavailable

log = logging.getLogger(__name__)

TELL_EVERY_S = 0.5


class LeaseKeeper:
    """Renews one job's lease every third of its term, sooner when there is progress to tell.

    A lost lease is not fatal here: finishing the job checks the owner again, in the same commit as the
    result, and that is where work done in vain is dropped.
    """

    def __init__(self, database: Database, job_id: str, owner: str, term_s: float) -> None:
        self._database = database
        self._job_id = job_id
        self._owner = owner
        self._term_s = term_s
        self._progress: tuple[float, str] = (0.0, "")
        self._news = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease-keeper", daemon=True)

    def report(self, fraction: float, step: str) -> None:
        """Note progress (0..1) and the name of the step; cheap, called from the executor."""
        self._progress = (fraction, step)
        self._news.set()

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._news.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._stop.is_set():
            self._news.wait(self._term_s / 3)
            self._news.clear()
            if self._stop.is_set():
                return
            fraction, step = self._progress
            try:
                with self._database.transaction() as tx:
                    tx.jobs.renew(self._job_id, self._owner, time.time(), self._term_s, progress=fraction, step=step)
            except Unavailable as trouble:
                log.warning("lease not renewed yet: %s", trouble)
            except LeaseLost as lost:
                log.warning("%s", lost)
                return
            self._stop.wait(TELL_EVERY_S)
