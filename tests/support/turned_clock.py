"""A clock that is turned by hand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Clock:
    """Seconds, as long as a test does not turn it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def ns(self) -> int:
        """The same in nanoseconds."""
        return int(self.now * 1e9)
