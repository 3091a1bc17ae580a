"""No fault ends a stage: its work stays leased and comes again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from dicom_node.pipeline import loop
from dicom_node.pipeline.loop import Bell, Crew, idle_max_s, run_stage, start_stage
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


def assert_looks(idle: Idle, looks: int) -> None:
    deadline = time.monotonic() + 20.0
    while idle.looks < looks:
        assert time.monotonic() < deadline, "nobody woke it"
        time.sleep(0.005)


class TestBell:
    def test_an_idle_stage_looks_again_when_another_has_worked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loop, "IDLE_S", 0.01)
        monkeypatch.setattr(loop, "IDLE_MAX_S", 600.0)
        stop, bell, idle = threading.Event(), Bell(), Idle()
        thread = start_stage(idle, stop, bell=bell)
        assert_looks(idle, 1)
        run_stage(Scripted([True], worked := threading.Event()), worked, bell=bell)
        assert_looks(idle, 2)
        stop.set()
        bell.ring()
        thread.join(20.0)
        assert not thread.is_alive()

    def test_it_looks_without_a_ring_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loop, "IDLE_S", 0.01)
        monkeypatch.setattr(loop, "IDLE_MAX_S", 0.02)
        stop, bell, idle = threading.Event(), Bell(), Idle()
        start_stage(idle, stop, bell=bell)
        assert_looks(idle, 3)
        stop.set()

    def test_a_ring_during_the_look_itself_is_heard(self) -> None:
        bell = Bell()
        heard = bell.rung
        bell.ring()
        started = time.monotonic()
        bell.wait(heard, 60.0)
        assert time.monotonic() - started < 30.0


@dataclass
class Slow:
    """A step that lasts until it is let go and `works` once or never; `log` hears of the steps of all."""

    name: str
    generation: int
    log: list[tuple[int, str]]
    go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    works: bool = False

    def step(self, now: float) -> bool:
        self.log.append((self.generation, "begins"))
        self.begun.set()
        assert self.go.wait(20)
        self.log.append((self.generation, "ends"))
        worked, self.works = self.works, False
        return worked


def test_a_stage_takes_over_when_its_namesake_has_ended_its_step_and_others_at_once() -> None:
    log: list[tuple[int, str]] = []
    old, new, other = Slow("deliver-pacs-0", 1, log), Slow("deliver-pacs-0", 2, log), Slow("deliver-new-0", 3, [])
    crew = Crew()
    crew.take_over([old])
    assert old.begun.wait(20)
    crew.take_over([new, other])
    assert other.begun.wait(20), "what has no namesake waits for nobody"
    assert log == [(1, "begins")]
    old.go.set()
    assert new.begun.wait(20)
    assert log == [(1, "begins"), (1, "ends"), (2, "begins")]
    new.go.set()
    other.go.set()
    crew.stop(20)
    assert log[-1] == (2, "ends")
    assert not {"deliver-pacs-0", "deliver-new-0"} & {thread.name for thread in threading.enumerate()}


def test_a_crew_wakes_its_idle_stages_when_one_has_worked_and_when_others_take_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "IDLE_S", 0.01)
    monkeypatch.setattr(loop, "IDLE_MAX_S", 600.0)
    crew, idle, later = Crew(), Idle(), Idle()
    crew.take_over([idle, slow := Slow("slow", 1, [], works=True)])
    assert slow.begun.wait(20)
    assert_looks(idle, 1)
    looks = idle.looks
    slow.go.set()
    assert_looks(idle, looks + 1)
    crew.take_over([later])
    assert_looks(later, 1)
    crew.stop(20)
    assert "idle" not in {thread.name for thread in threading.enumerate()}


def test_a_crew_that_sleeps_long_is_woken_by_what_another_process_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "IDLE_S", 0.01)
    crew, idle = Crew(idle_s=600.0), Idle()
    crew.take_over([idle])
    assert_looks(idle, 1)
    looks = idle.looks
    crew.wake()
    assert_looks(idle, looks + 1)
    crew.stop(20)


@pytest.mark.parametrize(("quiet_s", "idle_s"), [(0.5, 1.0), (30.0, 3.0), (600.0, 5.0)])
def test_who_hears_the_database_looks_as_often_as_the_quiet_time_wants(quiet_s: float, idle_s: float) -> None:
    assert idle_max_s(quiet_s) == idle_s
