"""Work that one process does at a time, while others stand by and take over when it dies."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from storage.errors import Unavailable
from storage.sql.sole import Sole

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0  # whether the place is still ours, or free


class StandingBy:
    """Does `work(over)` while the place is ours; `over` is set when it is not any more, and when `stop` is."""

    def __init__(self, place: Sole, work: Callable[[threading.Event], None]) -> None:
        self._place = place
        self._work = work
        self.active = False

    def run(self, stop: threading.Event) -> None:
        """Work or stand by until `stop` is set."""
        while True:
            if self._holds():
                self._have_it_work(stop)
            if stop.wait(LOOK_EVERY_S):
                return

    def _have_it_work(self, stop: threading.Event) -> None:
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(stop, over), name="place", daemon=True)
        self.active = True
        log.info("this process has its turn")
        watch.start()
        try:
            self._work(over)
        finally:
            self.active = False
            over.set()
            watch.join()
            self._place.leave()

    def _watch(self, stop: threading.Event, over: threading.Event) -> None:
        while not over.is_set() and not stop.wait(LOOK_EVERY_S):
            if not self._holds():
                log.warning("the place was lost; another process may have its turn now")
                break
        over.set()

    def _holds(self) -> bool:
        try:
            return self._place.hold()
        except Unavailable as trouble:
            log.warning("whose turn it is cannot be asked: %s", trouble)
            return False
