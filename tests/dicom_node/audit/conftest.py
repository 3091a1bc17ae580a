"""A spool, and time that is turned by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from turned_clock import Clock

from dicom_node.audit.spool import Spool

DAY_S = 86400.0


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000.0)


@pytest.fixture
def spool(tmp_path: Path, clock: Clock) -> Spool:
    return Spool(tmp_path / "audit", max_bytes=1000, keep_s=10 * DAY_S, clock_ns=clock.ns)
