"""By which moment things are old: a clock that has leapt forward is not believed at once.

What goes by its age is gone for good, and a wrong clock is put right: a hardware clock of another year until NTP sets
it, a guest whose host is wrong for a minute. What is kept for a day longer costs little.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LEAP_S = 3600.0  # what makes nothing noticeably older
BELIEVED_S = 86400.0  # a clock that has been ahead for so long is right


class Ages:
    """Gives the moment by which ages are counted: `now`, or what it would be had the clock not leapt of late.

    `known` is the last moment that was known before this process began, in seconds since 1970; `counter` counts
    seconds that no clock sets. Threads may ask at the same time.
    """

    def __init__(self, known: float | None = None, counter: Callable[[], float] = time.monotonic) -> None:
        self._counter = counter
        self._lock = threading.Lock()
        self._counted = counter()
        self._last = known  # as of then
        self._leapt: float | None = None  # by the counter; None: it goes as it should

    def __call__(self, now: float) -> float:
        with self._lock:
            counted = self._counter()
            steady = now if self._last is None else self._last + counted - self._counted
            if self._leapt is None and now - steady > LEAP_S:
                self._leapt = counted
                text = "%.1f h have passed that nobody counted: the node stood still, or the clock is wrong; "
                text += "what goes by its age is no older for them until that is a day ago"
                log.warning(text, (now - steady) / 3600)
            if self._leapt is not None and now - steady > LEAP_S and counted - self._leapt < BELIEVED_S:
                return steady
            self._last, self._counted, self._leapt = now, counted, None
            return now
