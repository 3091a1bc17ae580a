"""What keeps a stage going: work while there is some, wait for the bell or a moment when there is none."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from storage.errors import LeaseLost, Unavailable

log = logging.getLogger(__name__)

IDLE_S = 0.05  # between two looks that find nothing, at least
IDLE_MAX_S = 1.0  # at most, for what another process wrote or what falls due
HEARING_MAX_S = 5.0  # …where the database's bell tells what others wrote, and only what falls due is looked for
TROUBLE_S = 2.0


class Stage(Protocol):
    """One step of a study's walk: leases rows in one state and leaves them in the next, in one commit."""

    @property
    def name(self) -> str: ...

    def step(self, now: float) -> bool:
        """Do one piece of work; False when there was none."""
        ...


class Bell:
    """Rung by a stage of this process that has worked, lest the next one sleeps; not needed for anything but haste."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rung = 0

    @property
    def rung(self) -> int:
        """How often it rang so far."""
        return self._rung

    def ring(self) -> None:
        with self._changed:
            self._rung += 1
            self._changed.notify_all()

    def wait(self, heard: int, timeout_s: float) -> None:
        """Return when it has rung since `rung` was `heard`, or after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._rung != heard, timeout_s)


def idle_max_s(quiet_s: float) -> float:
    """How long an idle stage that hears the database's bell may sleep: a study settles a tenth of `quiet_s` late."""
    return min(HEARING_MAX_S, max(IDLE_MAX_S, quiet_s / 10))


def run_stage(
    stage: Stage,
    stop: threading.Event,
    clock: Callable[[], float] = time.time,
    bell: Bell | None = None,
    idle_s: float | None = None,
) -> None:
    """Run `stage` until `stop` is set. No fault ends the loop: its work stays leased and comes again.

    With a `bell` an idle stage looks again when it rings, which whoever sets `stop` rings too, or after `idle_s`
    (IDLE_MAX_S where it is not said).
    """
    while not stop.is_set():
        pause, idle, heard = 0.0, False, bell.rung if bell else 0
        try:
            idle = not stage.step(clock())
            if idle:
                pause = IDLE_S
            elif bell:
                bell.ring()
        except LeaseLost as lost:
            log.warning("%s: %s; what was done is dropped", stage.name, lost)
        except Unavailable as trouble:
            log.warning("%s waits: %s", stage.name, trouble)
            pause = TROUBLE_S
        except Exception:
            log.exception("%s failed; it goes on after %.0f s", stage.name, TROUBLE_S)
            pause = TROUBLE_S
        if pause and not stop.wait(pause) and idle and bell:
            bell.wait(heard, (idle_s or IDLE_MAX_S) - IDLE_S)


def start_stage(
    stage: Stage,
    stop: threading.Event,
    clock: Callable[[], float] = time.time,
    bell: Bell | None = None,
    after: threading.Thread | None = None,
    idle_s: float | None = None,
) -> threading.Thread:
    """Run `stage` in a thread of its own, once the thread `after` has ended."""

    def run() -> None:
        if after is not None:
            after.join()
        run_stage(stage, stop, clock, bell, idle_s)

    thread = threading.Thread(target=run, name=stage.name, daemon=True)
    thread.start()
    return thread


class Crew:
    """The stages at work. Others may take over: each begins when its namesake has ended the step that it was in.

    An idle one looks for work every `idle_s` seconds, and when it is woken.
    """

    def __init__(self, clock: Callable[[], float] = time.time, idle_s: float | None = None) -> None:
        self._clock = clock
        self.idle_s = idle_s
        self._stop = threading.Event()
        self._bell = Bell()
        self._threads: dict[str, threading.Thread] = {}
        self._leaving: list[threading.Thread] = []

    def take_over(self, stages: Iterable[Stage]) -> None:
        """Have `stages` do the work from now on, and those of before nothing more."""
        self.tell_to_stop()
        before, self._stop = self._threads, threading.Event()
        self._threads = {
            stage.name: start_stage(stage, self._stop, self._clock, self._bell, before.get(stage.name), self.idle_s)
            for stage in stages
        }
        self._leaving = [one for one in (*self._leaving, *before.values()) if one.is_alive()]

    def wake(self) -> None:
        """Have every idle stage look for work now; another process has queued some."""
        self._bell.ring()

    def tell_to_stop(self) -> None:
        """Have every stage end after the step that it is in."""
        self._stop.set()
        self._bell.ring()

    def stop(self, patience_s: float) -> None:
        """The same, and wait for them, for all together so many seconds at most."""
        self.tell_to_stop()
        deadline = time.monotonic() + patience_s
        threads = (*self._leaving, *self._threads.values())
        for thread in threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))
        if busy := [thread.name for thread in threads if thread.is_alive()]:
            log.warning("after %.0f s these are left in their work: %s", patience_s, ", ".join(busy))
