"""Threads that a test file leaves behind: one that never ends computes, and grows, beside all later tests."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest

PATIENCE_S = 5.0

# As `threading` names those that a program starts by itself; idle ones of executors have other names.
_PLAIN = re.compile(r"Thread-\d+ \(.+\)")


@pytest.fixture(scope="module", autouse=True)
def ended_threads() -> Iterator[None]:
    """Fails the file whose threads go on; such as no process would wait for (daemons) are let be."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + PATIENCE_S
    while (left := _plain_threads() - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"threads go on after their tests: {sorted(thread.name for thread in left)}"


def _plain_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.daemon and _PLAIN.fullmatch(thread.name)}
