"""What keeps a stage going: work while there is some, wait for the bell or a moment when there is none."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from storage.errors import LeaseLost, Unavailable

log = logging.getLogger(__name__)

IDLE_S = 0.25
TROUBLE_S = 2.0


class Stage(Protocol):
    """One step of a study's walk: leases rows in one state and leaves them in the next, in one commit."""

    @property
    def name(self) -> str: ...

    def step(self, now: float) -> bool:
        """Do one piece of work; False when there was none."""
        ...


def run_stage(stage: Stage, stop: threading.Event, clock: Callable[[], float] = time.time) -> None:
    """Run `stage` until `stop` is set. No fault ends the loop: its work stays leased and comes again."""
    while not stop.is_set():
        pause = 0.0
        try:
            if not stage.step(clock()):
                pause = IDLE_S
        except LeaseLost as lost:
            log.warning("%s: %s; what was done is dropped", stage.name, lost)
        except Unavailable as trouble:
            log.warning("%s waits: %s", stage.name, trouble)
            pause = TROUBLE_S
        except Exception:
            log.exception("%s failed; it goes on after %.0f s", stage.name, TROUBLE_S)
            pause = TROUBLE_S
        if pause:
            stop.wait(pause)


def start_stage(
    stage: Stage,
    stop: threading.Event,
    clock: Callable[[], float] = time.time,
    after: threading.Thread | None = None,
) -> threading.Thread:
    """Run `stage` in a thread of its own, once the thread `after` has ended."""

    def run() -> None:
        if after is not None:
            after.join()
        run_stage(stage, stop, clock)

    thread = threading.Thread(target=run, name=stage.name, daemon=True)
    thread.start()
    return thread


class Crew:
    """The stages at work. Others may take over: each begins when its namesake has ended the step that it was in."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._stop = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._leaving: list[threading.Thread] = []

    def take_over(self, stages: Iterable[Stage]) -> None:
        """Have `stages` do the work from now on, and those of before nothing more."""
        self._stop.set()
        before, self._stop = self._threads, threading.Event()
        self._threads = {
            stage.name: start_stage(stage, self._stop, self._clock, before.get(stage.name)) for stage in stages
        }
        self._leaving = [one for one in (*self._leaving, *before.values()) if one.is_alive()]

    def tell_to_stop(self) -> None:
        """Have every stage end after the step that it is in."""
        self._stop.set()

    def stop(self, patience_s: float) -> None:
        """The same, and wait for them, for all together so many seconds at most."""
        self.tell_to_stop()
        deadline = time.monotonic() + patience_s
        for thread in (*self._leaving, *self._threads.values()):
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
