"""Ends what runs beside the jobs as soon as one of them waits or runs: nothing of that kind may delay a result."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection

from dicom_node.pipeline.beside import Beside
from dicom_node.pipeline.idle import idle
from storage.database import Database
from storage.errors import StorageError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5


class GiveWay(Beside):
    """Calls `end` once, where the node is not idle any more while this is entered."""

    def __init__(self, database: Database, end: Callable[[], None], closed: Collection[str] = ()) -> None:
        super().__init__("give-way")
        self._database, self._end, self._closed = database, end, closed

    def _work(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                with self._database.reading() as tx:
                    free = idle(tx, time.time(), self._closed)
            except StorageError as trouble:
                log.warning("whether a job waits is not known: %s", trouble)
                continue
            if not free:
                self._end()
                return
