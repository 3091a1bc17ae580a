"""Who is given which worker. Workers are opened at once, but for those that a test keeps from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import ClassVar

import pytest

from inference.errors import BundleBroken, WorkerDied
from inference.executors.pools import Place, Pools

PATIENCE_S = 30.0


class Fleet:
    """Workers that are the name of their model and a number."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.slow: dict[str, threading.Event] = {}
        self.broken: set[str] = set()

    def open(self, place: Place[str]) -> str:
        if place.key in self.slow:
            assert self.slow[place.key].wait(PATIENCE_S)
        if place.key in self.broken:
            raise BundleBroken(f"{place.key} is broken")
        self.opened.append(f"{place.key}{len(self.opened)}")
        return self.opened[-1]

    def pools(self, most: int, lanes: int = 2) -> Pools[str]:
        return Pools(most, lanes, self.open, self.closed.append)


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    made = Fleet()
    yield made
    for gate in made.slow.values():
        gate.set()


class Job:
    """Takes a lane in a thread of its own and keeps it until it is told to go."""

    order: ClassVar[list[str]] = []

    def __init__(self, pools: Pools[str], key: str, priority: int = 0, *, alone: bool = False) -> None:
        self.place: Place[str] | None = None
        self.error: Exception | None = None
        self._in, self._waits, self._go = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(pools, key, priority, alone), daemon=True)
        self._thread.start()

    def _run(self, pools: Pools[str], key: str, priority: int, alone: bool) -> None:
        try:
            with pools.taken(key, priority=priority, alone=alone, waits=self._waits.set) as self.place:
                Job.order.append(f"{key}{priority}")
                self._in.set()
                self._go.wait(PATIENCE_S)
        except Exception as error:
            self.error = error
            self._in.set()

    def runs(self) -> str:
        assert self._in.wait(PATIENCE_S)
        assert self.error is None
        assert self.place is not None
        assert self.place.worker is not None
        return self.place.worker

    def waits(self) -> bool:
        return self._waits.wait(PATIENCE_S) and not self._in.wait(0.05)

    def fails(self) -> Exception | None:
        assert self._in.wait(PATIENCE_S)
        return self.error

    def go(self) -> None:
        self._go.set()
        self._thread.join(PATIENCE_S)


def test_jobs_spread_over_new_workers_and_then_share_them(fleet: Fleet) -> None:
    pools = fleet.pools(most=2)
    jobs = [Job(pools, "a") for _ in range(4)]
    assert sorted(job.runs() for job in jobs) == ["a0", "a0", "a1", "a1"]
    assert Job(pools, "a").waits(), "no more than there are lanes"


def test_a_worker_stays_for_the_next_job_of_its_model(fleet: Fleet) -> None:
    pools = fleet.pools(most=2)
    for _ in range(3):
        job = Job(pools, "a")
        assert job.runs() == "a0"
        job.go()
    assert (fleet.opened, pools.workers()) == (["a0"], ["a0"])


def test_who_is_more_urgent_goes_first_and_then_who_came_first(fleet: Fleet) -> None:
    pools, Job.order = fleet.pools(most=1, lanes=1), []
    first = Job(pools, "a")
    first.runs()
    others = []
    for priority in (10, 50, 10, 90):
        others.append(Job(pools, "a", priority))
        assert others[-1].waits()
    first.go()
    for job in (others[3], others[1], others[0], others[2]):
        job.runs()
        job.go()
    assert Job.order == ["a0", "a90", "a50", "a10", "a10"]


def test_a_worker_that_has_been_idle_longest_makes_room_for_another_model(fleet: Fleet) -> None:
    pools = fleet.pools(most=2)
    for key in "ab":
        job = Job(pools, key)
        job.runs()
        job.go()
    again = Job(pools, "a")
    again.runs()
    again.go()
    assert Job(pools, "c").runs() == "c2"
    assert fleet.closed == ["b1"]


def test_where_all_are_busy_one_leaves_its_model_for_who_is_first_in_the_line(fleet: Fleet) -> None:
    """Though jobs of the other model come all the time, and its lanes are never all free."""
    pools = fleet.pools(most=1)
    busy = [Job(pools, "a"), Job(pools, "a")]
    for job in busy:
        job.runs()
    other = Job(pools, "b")
    assert other.waits()
    late = Job(pools, "a")
    busy[0].go()
    assert late.waits()
    assert other.waits()
    busy[1].go()
    assert other.runs() == "b1"
    other.go()
    assert late.runs() == "a2"


def test_who_wants_a_worker_alone_waits_for_the_others_and_lets_nobody_pass(fleet: Fleet) -> None:
    pools = fleet.pools(most=1)
    here = Job(pools, "a")
    here.runs()
    alone = Job(pools, "a", alone=True)
    assert alone.waits()
    late = Job(pools, "a")
    assert late.waits()
    here.go()
    alone.runs()
    assert late.waits()
    alone.go()
    late.runs()


def test_a_dead_worker_is_replaced(fleet: Fleet) -> None:
    pools = fleet.pools(most=1)
    job = Job(pools, "a")
    job.runs()
    assert job.place is not None
    pools.drop(job.place)
    pools.drop(job.place)
    assert fleet.closed == ["a0"]
    assert Job(pools, "a").runs() == "a1"
    job.go()


def test_one_that_retires_ends_its_jobs_first(fleet: Fleet) -> None:
    pools = fleet.pools(most=2)
    job = Job(pools, "a")
    job.runs()
    assert job.place is not None
    pools.retire(job.place)
    assert Job(pools, "a").runs() == "a1"
    assert fleet.closed == []
    job.go()
    assert fleet.closed == ["a0"]


def test_what_cannot_be_opened_ends_its_own_jobs_alone(fleet: Fleet) -> None:
    fleet.broken.add("b")
    pools = fleet.pools(most=2)
    assert str(Job(pools, "b").fails()) == "b is broken"
    assert Job(pools, "a").runs() == "a0"


def test_one_that_nobody_has_used_for_long_is_closed(fleet: Fleet) -> None:
    pools = fleet.pools(most=2)
    idle, busy = Job(pools, "a"), Job(pools, "b")
    for job in (idle, busy):
        job.runs()
    idle.go()
    pools.close_idle(time.monotonic() - 60)
    assert fleet.closed == []
    pools.close_idle(time.monotonic())
    assert fleet.closed == ["a0"]


class TestLate:
    """A worker finds no machine."""

    def test_its_jobs_share_what_there_is(self, fleet: Fleet) -> None:
        pools = fleet.pools(most=2)
        Job(pools, "a").runs()
        fleet.slow["a"] = threading.Event()
        second = Job(pools, "a")
        assert second.waits(), "for a worker of its own"
        pools.late(next(one for one in pools._places if one.worker is None))
        assert second.runs() == "a0"

    def test_an_idle_worker_of_another_model_makes_room(self, fleet: Fleet) -> None:
        pools = fleet.pools(most=3)
        job = Job(pools, "a")
        job.runs()
        job.go()
        fleet.slow["b"] = threading.Event()
        waiting = Job(pools, "b")
        assert waiting.waits()
        pools.late(next(one for one in pools._places if one.worker is None))
        assert fleet.closed == ["a0"]
        fleet.slow["b"].set()
        waiting.runs()

    def test_where_all_are_busy_one_is_closed_after_its_jobs(self, fleet: Fleet) -> None:
        pools = fleet.pools(most=3)
        busy = Job(pools, "a")
        busy.runs()
        fleet.slow["b"] = threading.Event()
        waiting = Job(pools, "b")
        assert waiting.waits()
        pools.late(next(one for one in pools._places if one.worker is None))
        assert fleet.closed == []
        busy.go()
        assert fleet.closed == ["a0"]


class TestStopped:
    def test_nobody_waits_and_nothing_is_left(self, fleet: Fleet) -> None:
        pools = fleet.pools(most=1, lanes=1)
        running, waiting = Job(pools, "a"), None
        running.runs()
        waiting = Job(pools, "a")
        assert waiting.waits()
        pools.stop()
        for job in (waiting, Job(pools, "a")):
            died = job.fails()
            assert isinstance(died, WorkerDied)
            assert died.stopped
        assert (fleet.closed, pools.workers()) == (["a0"], [])
        running.go()

    def test_what_is_opened_too_late_is_closed(self, fleet: Fleet) -> None:
        fleet.slow["a"] = threading.Event()
        pools = fleet.pools(most=1)
        job = Job(pools, "a")
        assert job.waits()
        pools.stop()
        fleet.slow["a"].set()
        deadline = time.monotonic() + PATIENCE_S
        while fleet.closed != ["a0"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
