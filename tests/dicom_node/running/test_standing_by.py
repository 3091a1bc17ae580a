"""One works at a time; the other takes over when the first one ends, dies or loses its place."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from dicom_node.running import standing_by
from dicom_node.running.standing_by import StandingBy
from storage.errors import Unavailable
from storage.sql.sole import Sole

PATIENCE_S = 20.0


@dataclass
class Shared:
    """Places that two processes share, kept in memory; `away`: the database does not answer."""

    holder: object = None
    away: bool = False


@dataclass
class Mine:
    """One process's side of it."""

    shared: Shared

    def hold(self, name: str) -> bool:
        if self.shared.away:
            raise Unavailable("no answer")
        self.shared.holder = self.shared.holder or self
        return self.shared.holder is self

    def leave(self, name: str) -> None:
        if self.shared.holder is self:
            self.shared.holder = None

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Worker:
    """A process that works in its turn; `begun` and `ended` count."""

    shared: Shared
    stop: threading.Event = field(default_factory=threading.Event)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.turn = StandingBy(Sole("clock", Mine(self.shared)), self.work)
        self.thread = threading.Thread(target=self.turn.run, args=(self.stop,), daemon=True)

    def start(self) -> Worker:
        self.thread.start()
        return self

    def work(self, over: threading.Event) -> None:
        self.begun.release()
        over.wait()
        self.ended.release()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing_by, "LOOK_EVERY_S", 0.02)


def test_the_second_stands_by_until_the_first_has_ended() -> None:
    shared = Shared()
    first, second = Worker(shared).start(), Worker(shared)
    assert first.begun.acquire(timeout=PATIENCE_S)
    second.start()
    assert not second.begun.acquire(timeout=0.2)
    assert (first.turn.active, second.turn.active) == (True, False)
    first.end()
    assert second.begun.acquire(timeout=PATIENCE_S)
    second.end()
    assert shared.holder is None


def test_who_lost_the_place_ends_its_work_and_begins_again_when_it_is_free() -> None:
    shared = Shared()
    worker = Worker(shared).start()
    assert worker.begun.acquire(timeout=PATIENCE_S)
    shared.holder = "another"
    assert worker.ended.acquire(timeout=PATIENCE_S)
    shared.holder = None
    assert worker.begun.acquire(timeout=PATIENCE_S)
    worker.end()


def test_while_the_database_is_away_nobody_works() -> None:
    shared = Shared()
    worker = Worker(shared).start()
    assert worker.begun.acquire(timeout=PATIENCE_S)
    shared.away = True
    assert worker.ended.acquire(timeout=PATIENCE_S)
    shared.away = False
    assert worker.begun.acquire(timeout=PATIENCE_S)
    worker.end()


def test_one_that_is_told_to_stop_before_it_began_has_worked_once() -> None:
    worker = Worker(Shared())
    worker.stop.set()
    started = time.monotonic()
    worker.start().thread.join(PATIENCE_S)
    assert worker.begun.acquire(blocking=False)
    assert time.monotonic() - started < PATIENCE_S


def test_a_fault_in_the_work_leaves_the_place() -> None:
    def fails(over: threading.Event) -> None:
        raise RuntimeError("a bug")

    shared = Shared()
    with pytest.raises(RuntimeError):
        StandingBy(Sole("clock", Mine(shared)), fails).run(threading.Event())
    assert shared.holder is None
