"""No fault ends a stage: its work stays leased and comes again."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from dicom_node.pipeline import loop
from dicom_node.pipeline.loop import Crew, run_stage
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
class Slow:
    """A step that lasts until it is let go; `log` hears of the steps of all."""

    name: str
    generation: int
    log: list[tuple[int, str]]
    go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    def step(self, now: float) -> bool:
        self.log.append((self.generation, "begins"))
        self.begun.set()
        assert self.go.wait(20)
        self.log.append((self.generation, "ends"))
        return False


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
