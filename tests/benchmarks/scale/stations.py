"""What work shares in the simulation: a station that serves all at once, and the stages' bell."""

from __future__ import annotations

import heapq
import itertools

import simpy

SMALLEST_S = 1e-9  # less work than this is none: virtual time is a float


class Shared:
    """Processor sharing: `capacity` seconds of work a second, of which one piece of work gets at most one.

    Cores, a process, a database, a disk. All pieces go on at the same pace, so one clock of work done (virtual time)
    says when each ends, and an arrival costs the logarithm of how many there are.
    """

    def __init__(self, env: simpy.Environment, capacity: float) -> None:
        if capacity <= 0:
            raise ValueError(f"a station that does {capacity} seconds of work a second never ends any")
        self._env = env
        self.capacity = capacity
        self._pieces: list[tuple[float, int, simpy.Event]] = []
        self._numbers = itertools.count()
        self._done = 0.0  # work that every piece has got that was here all the time
        self._since = env.now
        self._given = 0.0  # seconds of work so far
        self._alarm: simpy.Event | None = None

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def worked_s(self) -> float:
        """Seconds of work that it has done so far."""
        self._advance()
        return self._given

    def work(self, seconds: float) -> simpy.Event:
        """Have so many seconds of work done; the event comes when they are."""
        done = self._env.event()
        if seconds < SMALLEST_S:
            return done.succeed()
        self._advance()
        heapq.heappush(self._pieces, (self._done + seconds, next(self._numbers), done))
        self._wait_for_next()
        return done

    @property
    def _pace(self) -> float:
        return min(1.0, self.capacity / len(self._pieces)) if self._pieces else 0.0

    def _advance(self) -> None:
        past, self._since = self._env.now - self._since, self._env.now
        self._done += past * self._pace
        self._given += past * self._pace * len(self._pieces)

    def _wait_for_next(self) -> None:
        """Wake when the next piece ends; an earlier alarm is not listened to any more."""
        self._alarm = None
        if self._pieces:
            left = max(0.0, self._pieces[0][0] - self._done)
            self._alarm = self._env.timeout(left / self._pace)
            self._alarm.callbacks.append(self._awake)

    def _awake(self, alarm: simpy.Event) -> None:
        if alarm is not self._alarm:
            return
        self._advance()
        first = self._pieces[0][0]
        while self._pieces and self._pieces[0][0] <= max(first, self._done + SMALLEST_S):
            heapq.heappop(self._pieces)[2].succeed()
        self._wait_for_next()


class Bell:
    """Rung by every stage that has worked; who waits for it looks again (dicom_node/pipeline/loop.py)."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._next = env.event()

    @property
    def next(self) -> simpy.Event:
        """The next time that it rings."""
        return self._next

    def ring(self) -> None:
        rung, self._next = self._next, self._env.event()
        rung.succeed()
