"""Ends what runs beside the jobs as soon as one of them waits or runs: nothing of that kind may delay a result."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from dicom_node.pipeline.idle import idle
from storage.database import Database
from storage.errors import StorageError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5


class GiveWay:
    """Calls `end` once, where the node is not idle any more while this is entered."""

    def __init__(self, database: Database, end: Callable[[], None], closed: Collection[str] = ()) -> None:
        self._database, self._end, self._closed = database, end, closed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="give-way", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
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
