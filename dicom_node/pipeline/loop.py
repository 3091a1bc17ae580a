"""What keeps a stage going: work while there is some, wait for the bell or a moment when there is none."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
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


def start_stage(stage: Stage, stop: threading.Event, clock: Callable[[], float] = time.time) -> threading.Thread:
    """Run `stage` in a thread of its own."""
    thread = threading.Thread(target=run_stage, args=(stage, stop, clock), name=stage.name, daemon=True)
    thread.start()
    return thread
