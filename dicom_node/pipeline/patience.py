"""What a failure costs: one delivery its time, or a whole destination."""

from __future__ import annotations

import random
from dataclasses import dataclass

from dicom_node.pipeline.backoff import Backoff


@dataclass(frozen=True)
class Patience:
    """A delivery waits by `retry`, and so does, once it is down, a whole destination by `pause`.

    Down is who failed `down_after` times in a row. A delivery is given up after `retry.attempts` failures while its
    destination was well; those of an outage do not count. A destination is given up never.
    """

    retry: Backoff
    pause: Backoff
    down_after: int

    def retry_s(self, faults: int) -> float:
        """How long a delivery waits that has failed so often by itself."""
        return self.retry.wait_s(faults + 1, _chance())

    def pause_s(self, failures: int) -> float:
        """How long a destination that failed so often in a row is left in peace."""
        return self.pause.wait_s(failures - self.down_after + 1, _chance())


def _chance() -> float:
    return random.random()  # noqa: S311 (spreads load, guards nothing)
