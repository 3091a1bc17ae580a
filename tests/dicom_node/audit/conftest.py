"""A spool, and time that is turned by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.audit.spool import Spool

DAY_S = 86400.0


class Clock:
    """Seconds since the epoch, and the same in nanoseconds."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def ns(self) -> int:
        return int(self.now * 1e9)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path: Path, clock: Clock) -> Spool:
    return Spool(tmp_path / "audit", max_bytes=1000, keep_s=10 * DAY_S, clock_ns=clock.ns)
