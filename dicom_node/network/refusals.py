"""Who was not let in, and why: each time in the log, and in the journal without being flooded by the stubborn."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from storage.database import Database
from storage.errors import StorageError

log = logging.getLogger(__name__)

AGAIN_S = 60.0  # the same refusal is journalled once in so many seconds
REMEMBERED = 1000  # different refusals


class Refusals:
    """Logs and journals refusals of connections and associations; they name no patient."""

    def __init__(self, database: Database, revision: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self.revision = revision
        self._clock = clock
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def tell(self, sentence: str) -> None:
        """Log `sentence`, and journal it unless it was journalled a moment ago."""
        log.warning("%s", sentence)
        now = self._clock()
        if not self._is_news(sentence, now):
            return
        try:
            with self._database.transaction() as tx:
                tx.journal.add(now, "refused", sentence, revision=self.revision)
        except StorageError as trouble:
            log.warning("refusal not journalled: %s", trouble)

    def _is_news(self, sentence: str, now: float) -> bool:
        with self._lock:
            if now - self._told.get(sentence, float("-inf")) < AGAIN_S:
                return False
            if len(self._told) >= REMEMBERED:
                self._told = {text: at for text, at in self._told.items() if now - at < AGAIN_S}
            if len(self._told) >= REMEMBERED:
                return False  # a flood of different ones; the log has them all
            self._told[sentence] = now
            return True
