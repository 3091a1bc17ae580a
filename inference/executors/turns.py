"""A device does one thing at a time, in one thread; a job is prepared before its turn comes, and measured after it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from inference.backends.base import Report

T = TypeVar("T")

WAITS = "wait"  # the step of a job whose turn has not come; its time limit stands still meanwhile
STARTS = "start"  # the step of one that has waited, once its turn has come: from here its time counts again


class Device:
    """Takes work of several threads, first come first served."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="device")
        self._lock = threading.Lock()
        self._wanted = 0

    def do(self, work: Callable[[], T], report: Report) -> T:
        """What `work` gives when its turn has come, or raises; says so where that takes waiting, and when that ends."""
        with self._lock:
            waits, self._wanted = self._wanted > 0, self._wanted + 1
        try:
            if not waits:
                return self._thread.submit(work).result()
            report(0.0, WAITS)
            return self._thread.submit(_begun, work, report).result()
        finally:
            with self._lock:
                self._wanted -= 1


def _begun(work: Callable[[], T], report: Report) -> T:
    """Work of who has waited. Some says nothing before it is done: were it endless, nobody would notice."""
    report(0.0, STARTS)
    return work()
