"""How long to wait before the next attempt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Waiting time between attempts: doubles from `base_s` to `max_s`, given up after `attempts`."""

    base_s: float
    max_s: float
    attempts: int

    def wait_s(self, attempt: int, jitter: float) -> float:
        """Seconds after the `attempt`-th failure (1-based); `jitter` in 0..1 spreads peers that fail together."""
        return float(min(self.max_s, self.base_s * 2 ** min(attempt - 1, 30))) * (0.75 + 0.5 * jitter)
