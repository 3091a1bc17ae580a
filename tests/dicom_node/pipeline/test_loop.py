"""No fault ends a stage: its work stays leased and comes again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from dicom_node.pipeline import loop
from dicom_node.pipeline.loop import Bell, run_stage, start_stage
from storage.errors import LeaseLost, Unavailable


@dataclass
class Scripted:
    """Plays a list of outcomes, then stops the loop."""

    outcomes: list[bool | Exception]
    stop: threading.Event
    name: str = "scripted"
    at: list[float] = field(default_factory=list)

    def step(self, now: float) -> bool:
        self.at.append(now)
        if not self.outcomes:
            self.stop.set()
            return False
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.mark.parametrize("fault", [LeaseLost("gone"), Unavailable("locked"), RuntimeError("a bug")])
def test_goes_on_after_a_fault(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TROUBLE_S", 0.0)
    stop = threading.Event()
    stage = Scripted([fault, True, fault, False], stop)
    run_stage(stage, stop)
    assert stage.outcomes == []


def test_passes_the_time_in() -> None:
    stop = threading.Event()
    stage = Scripted([True], stop)
    times = iter([5.0, 6.0])
    run_stage(stage, stop, clock=lambda: next(times))
    assert stage.at == [5.0, 6.0]


@dataclass
class Idle:
    """Finds nothing, and counts how often it looked."""

    name: str = "idle"
    looks: int = 0

    def step(self, now: float) -> bool:
        self.looks += 1
        return False


class TestBell:
    def wait_for(self, idle: Idle, looks: int) -> None:
        deadline = time.monotonic() + 20.0
        while idle.looks < looks:
            assert time.monotonic() < deadline, "nobody woke it"
            time.sleep(0.005)

    def test_an_idle_stage_looks_again_when_another_has_worked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loop, "IDLE_S", 0.01)
        monkeypatch.setattr(loop, "IDLE_MAX_S", 600.0)
        stop, bell, idle = threading.Event(), Bell(), Idle()
        thread = start_stage(idle, stop, bell=bell)
        self.wait_for(idle, 1)
        run_stage(Scripted([True], worked := threading.Event()), worked, bell=bell)
        self.wait_for(idle, 2)
        stop.set()
        bell.ring()
        thread.join(20.0)
        assert not thread.is_alive()

    def test_it_looks_without_a_ring_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loop, "IDLE_S", 0.01)
        monkeypatch.setattr(loop, "IDLE_MAX_S", 0.02)
        stop, bell, idle = threading.Event(), Bell(), Idle()
        start_stage(idle, stop, bell=bell)
        self.wait_for(idle, 3)
        stop.set()

    def test_a_ring_during_the_look_itself_is_heard(self) -> None:
        bell = Bell()
        heard = bell.rung
        bell.ring()
        started = time.monotonic()
        bell.wait(heard, 60.0)
        assert time.monotonic() - started < 30.0
