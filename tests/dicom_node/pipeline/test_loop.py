"""No fault ends a stage: its work stays leased and comes again."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from dicom_node.pipeline import loop
from dicom_node.pipeline.loop import run_stage
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
