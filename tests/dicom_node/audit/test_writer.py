"""Whoever tells the audit trail something is never kept waiting and never fails; what is lost is told."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dicom_node.audit.spool import Spool
from dicom_node.audit.writer import Writer

PATIENCE_S = 30.0


@dataclass
class Disk(Spool):
    """A spool whose disk can be full, or slow."""

    full: bool = False
    open: threading.Event = field(default_factory=threading.Event)
    kept: list[bytes] = field(default_factory=list)

    def write(self, message: bytes) -> Path:
        self.open.wait(PATIENCE_S)
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.kept.append(message)
        return Path()


@pytest.fixture
def disk() -> Disk:
    disk = Disk()
    disk.open.set()
    return disk


def say(text: bytes) -> Callable[[], bytes]:
    return lambda: text


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_messages_are_kept_in_order_and_the_rest_at_the_end(disk: Disk) -> None:
    writer = Writer(disk)
    for number in range(100):
        writer.put(say(b"%d" % number))
    writer.close()
    assert disk.kept == [b"%d" % number for number in range(100)]
    assert writer.state() == {"in_memory": 0, "lost": 0, "trouble": ""}


def test_a_slow_disk_keeps_nobody_waiting(disk: Disk) -> None:
    disk.open.clear()
    writer = Writer(disk)
    started = time.monotonic()
    for _ in range(1000):
        writer.put(say(b"x"))
    assert time.monotonic() - started < 1.0
    disk.open.set()
    writer.close()
    assert len(disk.kept) == 1000


def test_an_end_waits_as_long_as_messages_are_written(disk: Disk) -> None:
    writer = Writer(disk)
    for _ in range(60):
        writer.put(lambda: time.sleep(0.01) or b"slow")
    writer.close(patience_s=0.1)
    assert len(disk.kept) == 60
    assert writer.state()["lost"] == 0


def test_an_end_on_a_disk_that_hangs_is_told(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.open.clear()
    writer = Writer(disk)
    writer.put(say(b"one"))
    writer.close(patience_s=0.05)
    assert "1 audit messages were lost: the disk does not answer" in caplog.text
    disk.open.set()


def test_a_full_disk_is_told_once_and_costs_nothing_when_it_passes(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.full = True
    writer = Writer(disk, retry_s=0.01)
    writer.put(say(b"one"))
    writer.put(say(b"two"))
    until(lambda: writer.state()["trouble"])
    assert writer.state()["trouble"] == "cannot be written: No space left on device"
    assert writer.state()["in_memory"] == 2
    disk.full = False
    until(lambda: disk.kept == [b"one", b"two"])
    writer.close()
    assert caplog.text.count("cannot be written and wait in memory") == 1
    assert "can be written again" in caplog.text


def test_what_memory_cannot_hold_is_lost_and_counted(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.open.clear()
    writer = Writer(disk, most_in_memory=10)
    for number in range(25):
        writer.put(say(b"%d" % number))
    assert writer.state()["lost"] == 15
    disk.open.set()
    writer.close()
    assert disk.kept == [b"%d" % number for number in range(10)]
    assert "audit messages were lost: they came too fast" in caplog.text


def test_an_end_on_a_full_disk_is_told(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.full = True
    writer = Writer(disk, retry_s=0.01)
    writer.put(say(b"one"))
    writer.put(say(b"two"))
    writer.close()
    assert "2 audit messages were lost: cannot be written: No space left on device" in caplog.text


def test_one_that_has_nothing_to_say_needs_no_thread(disk: Disk) -> None:
    before = threading.active_count()
    writer = Writer(disk)
    assert threading.active_count() == before
    writer.close()
