"""Who gets which worker, where each worker has one model: a pool a model, and one line for all of them.

The line is ordered as the queue of jobs is: by priority, then who came first. A job takes a worker of its model that
has nothing to do; else one is opened while there may be more; else it shares one that has a free lane. Where a model
has no worker and there may be no more, one of another model makes room: the one that has been idle longest, or, for who
is first in the line, the one with least to do after its jobs.

Nothing here knows what a worker is: it is opened and closed by whoever makes the pools.
"""

from __future__ import annotations

import bisect
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from inference.errors import InferenceError, WorkerDied

W = TypeVar("W")


@dataclass(eq=False)
class Place(Generic[W]):
    """One of the workers that there may be, for one model; `worker` is None until it is open."""

    key: str
    worker: W | None = None
    jobs: int = 0
    alone: bool = False  # one job has it for itself
    late: bool = False  # it is not open yet and nobody waits for it alone
    leaving: bool = False  # it gets no new job, and is closed after its last
    used_at: float = 0.0  # when it last had something to do


@dataclass(eq=False)
class Ticket(Generic[W]):
    """A job in the line."""

    key: str
    alone: bool
    order: tuple[int, int]
    place: Place[W] | None = None
    fault: InferenceError | None = None


@dataclass(eq=False)
class Pools(Generic[W]):
    """`most` workers at a time, each with so many `lanes`.

    `open` makes the worker of a place, and may take its time; what it raises ends the jobs that wait for this model.
    `close` ends one.
    """

    most: int
    lanes: int
    open: Callable[[Place[W]], W]
    close: Callable[[W], None]
    _line: list[Ticket[W]] = field(default_factory=list)
    _places: list[Place[W]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _over: bool = False

    @contextmanager
    def taken(self, key: str, *, priority: int = 0, alone: bool = False,
              waits: Callable[[], None] = lambda: None) -> Iterator[Place[W]]:
        """A lane of a worker for the model `key`, `alone` the whole worker; `waits` is called where that takes time.

        WorkerDied after `stop`; what `open` raised.
        """
        ticket: Ticket[W] = Ticket(key, alone, (-priority, next(self._numbers)))
        with self._changed:
            if not self._over:
                bisect.insort(self._line, ticket, key=lambda one: one.order)
                self._match()
            there = self._settled(ticket)
        if not there:
            waits()
            with self._changed:
                self._changed.wait_for(lambda: self._settled(ticket))
        if ticket.fault is not None:
            raise ticket.fault
        if ticket.place is None:
            raise WorkerDied("the node was stopped under the job", stopped=True)
        try:
            yield ticket.place
        finally:
            self._give_back(ticket.place)

    def drop(self, place: Place[W]) -> None:
        """Close a worker that has died, or that is to die; another one may be opened in its place."""
        with self._changed:
            if place in self._places:
                self._shut(place)
                self._match()

    def retire(self, place: Place[W]) -> None:
        """Close a worker when those who have it are done."""
        with self._changed:
            place.leaving = True
            self._sweep()

    def close_idle(self, since: float) -> None:
        """Close the workers that have had nothing to do since then (of `time.monotonic`)."""
        with self._changed:
            for place in [one for one in self._places if one.worker is not None and not one.jobs]:
                if place.used_at <= since:
                    self._shut(place)

    def late(self, place: Place[W]) -> None:
        """Tell that a place finds no machine: its jobs may share what there is, and others make room for it."""
        with self._changed:
            if place not in self._places:
                return
            place.late = True
            alone = not any(one.key == place.key and one.worker is not None for one in self._places)
            self._make_room(place.key, busy=alone)
            self._sweep()

    def workers(self) -> list[W]:
        """Those that are open."""
        with self._changed:
            return [one.worker for one in self._places if one.worker is not None]

    def wanted(self, place: Place[W]) -> bool:
        """Whether a place that is being opened is still to be."""
        with self._changed:
            return not self._over and place in self._places

    def stop(self) -> None:
        """Close all; who waits, or comes later, is told."""
        with self._changed:
            self._over = True
            for place in tuple(self._places):
                self._shut(place)
            self._line.clear()
            self._changed.notify_all()

    def _settled(self, ticket: Ticket[W]) -> bool:
        return self._over or ticket.place is not None or ticket.fault is not None

    def _give_back(self, place: Place[W]) -> None:
        with self._changed:
            place.jobs -= 1
            place.alone = False
            place.used_at = time.monotonic()
            self._sweep()

    def _sweep(self) -> None:
        """Close those who leave and have nothing to do, and hand out what there is."""
        for place in [one for one in self._places if one.leaving and not one.jobs and one.worker is not None]:
            self._shut(place)
        self._match()

    def _match(self) -> None:
        """Hand out lanes in the order of the line. Called with the lock."""
        promised: Counter[str] = Counter()  # places that are being opened, to jobs of that model
        barred: set[str] = set()  # models of which somebody wants a worker alone
        left: list[Ticket[W]] = []
        for ticket in self._line:
            if ticket.key not in barred and self._served(ticket, promised, first=not left):
                continue
            left.append(ticket)
            if ticket.alone:
                barred.add(ticket.key)
        self._line = left
        self._changed.notify_all()

    def _served(self, ticket: Ticket[W], promised: Counter[str], *, first: bool) -> bool:
        """Give a job its lane, or open a place that it is to have; False where it waits on."""
        own = [one for one in self._places if one.key == ticket.key and not one.leaving]
        lanes = 1 if ticket.alone else self.lanes
        free = [one for one in own if one.worker is not None and not one.alone and one.jobs < lanes]
        best = min(free, key=lambda one: one.jobs, default=None)
        if best is None or best.jobs:
            opening = sum(one.worker is None and not one.late for one in own)
            if opening <= promised[ticket.key] and self._may_open(ticket.key, lack=not own, first=first):
                self._open(ticket.key)
                opening += 1
            promised[ticket.key] += 1
            if best is None or promised[ticket.key] <= opening:
                return False
        best.jobs += 1
        best.alone = ticket.alone
        ticket.place = best
        return True

    def _may_open(self, key: str, *, lack: bool, first: bool) -> bool:
        """Whether there may be one more worker; for a model that has none, others make room."""
        if lack and len(self._places) >= self.most:
            self._make_room(key, busy=first)
        return len(self._places) < self.most

    def _make_room(self, key: str, *, busy: bool) -> None:
        """Close the worker of another model that has been idle longest; else, with `busy`, have one of them leave."""
        others = [one for one in self._places if one.key != key and one.worker is not None]
        idle = [one for one in others if not one.jobs]
        if idle:
            self._shut(min(idle, key=lambda one: one.used_at))
        elif busy and others and not any(one.leaving for one in others):
            min(others, key=lambda one: one.jobs).leaving = True

    def _open(self, key: str) -> None:
        place: Place[W] = Place(key)
        self._places.append(place)
        threading.Thread(target=self._fill, args=(place,), name="worker opens", daemon=True).start()

    def _fill(self, place: Place[W]) -> None:
        try:
            worker = self.open(place)
        except InferenceError as fault:
            self._failed(place, fault)
            return
        with self._changed:
            if place not in self._places:
                self.close(worker)
                return
            place.worker, place.used_at = worker, time.monotonic()
            self._match()

    def _failed(self, place: Place[W], fault: InferenceError) -> None:
        with self._changed:
            if place not in self._places:  # nobody waits for it any more
                return
            self._places.remove(place)
            for ticket in self._line:
                ticket.fault = fault if ticket.key == place.key else None
            self._line = [ticket for ticket in self._line if ticket.fault is None]
            self._match()

    def _shut(self, place: Place[W]) -> None:
        """Take a place away and close its worker. Called with the lock."""
        self._places.remove(place)
        if place.worker is not None:
            self.close(place.worker)
