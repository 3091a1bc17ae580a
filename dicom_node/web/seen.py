"""Who has just been shown which study: a page that renews itself is one look, not a hundred."""

from __future__ import annotations

import threading
from collections import OrderedDict

ONE_LOOK_S = 600.0
MOST = 10_000


class Seen:
    """Looks of this process, each told once in `ONE_LOOK_S`."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[int, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def is_new(self, user_id: int, study_uid: str, now: float) -> bool:
        """Whether this look is to be told."""
        with self._lock:
            last = self._last.get((user_id, study_uid), float("-inf"))
            if now - last < ONE_LOOK_S:
                return False
            self._last[user_id, study_uid] = now
            self._last.move_to_end((user_id, study_uid))
            if len(self._last) > MOST:
                self._last.popitem(last=False)
            return True
