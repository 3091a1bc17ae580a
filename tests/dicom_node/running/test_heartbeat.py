"""A role is alive while its row is young."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable

import pytest

from dicom_node.assembly import Parts
from dicom_node.counting import RECEIVED_BYTES, Counts
from dicom_node.running import heartbeat
from dicom_node.running.heartbeat import Heartbeat, loaded_modules
from storage.errors import Unavailable
from storage.records import ProcessRow

PATIENCE_S = 30.0


def rows(parts: Parts) -> list[ProcessRow]:
    with parts.database.reading() as tx:
        return list(tx.processes.list(time.time()))


@pytest.fixture
def beaten() -> threading.Semaphore:
    """Released at every beat."""
    return threading.Semaphore(0)


def test_the_row_says_who_and_with_what(parts: Parts, beaten: threading.Semaphore) -> None:
    beat = Heartbeat(parts.database, "pipeline")
    beat.tell("workers", lambda: beaten.release() or {"cpu": 17})
    beat.start()
    assert beaten.acquire(timeout=PATIENCE_S)
    until(lambda: len(rows(parts)) == 1)
    (row,) = rows(parts)
    assert (row.role, row.pid, row.host) == ("pipeline", os.getpid(), socket.gethostname())
    assert row.detail == {"workers": {"cpu": 17}}
    assert "sqlalchemy" in row.modules
    assert row.started_at <= row.seen_at
    beat.stop()
    assert rows(parts) == [], "a role that ends on purpose takes its row away"


def test_facts_are_asked_for_at_every_beat(
    parts: Parts, beaten: threading.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.01)
    beat = Heartbeat(parts.database, "pipeline")
    beat.tell("beats", beaten.release)
    beat.start()
    assert all(beaten.acquire(timeout=PATIENCE_S) for _ in range(3))
    beat.stop()


def test_it_goes_on_when_the_database_does_not_answer(
    parts: Parts, beaten: threading.Semaphore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def trouble() -> None:
        beaten.release()
        raise Unavailable("the disk is full")

    monkeypatch.setattr(heartbeat, "BEAT_S", 0.01)
    beat = Heartbeat(parts.database, "pipeline")
    beat.tell("trouble", trouble)
    beat.start()
    assert all(beaten.acquire(timeout=PATIENCE_S) for _ in range(3))
    beat.stop()
    assert "heartbeat not written: the disk is full" in caplog.text


def test_only_heavy_libraries_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert "torch" not in loaded_modules()
    monkeypatch.setitem(sys.modules, "torch", sys)
    assert "torch" in loaded_modules()
    assert "os" not in loaded_modules()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_the_role_has_counted_is_added_up(parts: Parts) -> None:
    for _ in range(2):
        counts = Counts()
        beat = Heartbeat(parts.database, "receive", counts)
        beat.start()
        counts.add(RECEIVED_BYTES, 5)
        beat.stop()
    with parts.database.reading() as tx:
        assert tx.counters.all() == {("received_bytes", ()): 10.0}
