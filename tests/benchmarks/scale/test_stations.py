"""Stations and workers against what queueing theory says of them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from statistics import mean

import pytest
import simpy
from scale.stations import Bell, Shared
from scale.workers import Pipeline, Worker, Workers

STUDIES = 40_000
Serve = Callable[[simpy.Environment, float], Iterator[simpy.Event]]


def sojourns(make: Callable[[simpy.Environment], Serve], rate: float, work: Callable[[random.Random], float]):
    """Seconds from coming to going of many who come at random, and when the last one has gone."""
    env, draw, took = simpy.Environment(), random.Random(11), []
    serve = make(env)

    def one(seconds: float) -> Iterator[simpy.Event]:
        begin = env.now
        yield from serve(env, seconds)
        took.append(env.now - begin)

    def come() -> Iterator[simpy.Event]:
        for _ in range(STUDIES):
            yield env.timeout(draw.expovariate(rate))
            env.process(one(work(draw)))

    env.process(come())
    env.run()
    assert len(took) == STUDIES
    return took, env.now


def erlang_c(servers: int, load: float) -> float:
    """The chance that one who comes has to wait, of an M/M/c queue with an offered load in erlang."""
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def wait_of_mmc(servers: int, load: float) -> float:
    """The mean wait in an M/M/c queue, in service times."""
    return erlang_c(servers, load) / (servers - load)


def shared(capacity: float) -> Callable[[simpy.Environment], Serve]:
    def make(env: simpy.Environment) -> Serve:
        station = Shared(env, capacity)

        def serve(_: simpy.Environment, seconds: float) -> Iterator[simpy.Event]:
            yield station.work(seconds)

        return serve

    return make


def workers(number: int) -> Callable[[simpy.Environment], Serve]:
    """So many workers, each with one job at a time."""

    def make(env: simpy.Environment) -> Serve:
        place = Pipeline(Shared(env, 1.0), Shared(env, 1.0))
        all_of_them = Workers(env, [Worker(place, simpy.Resource(env), free=1) for _ in range(number)])

        def serve(env: simpy.Environment, seconds: float) -> Iterator[simpy.Event]:
            worker = yield all_of_them.take()
            yield env.timeout(seconds)
            all_of_them.give_back(worker)

        return serve

    return make


@pytest.mark.parametrize("busy", [0.3, 0.7])
@pytest.mark.parametrize(
    "work", [lambda draw: draw.expovariate(1.0), lambda _: 1.0, lambda draw: draw.choice((0.2, 1.8))]
)
def test_a_shared_station_keeps_work_for_its_mean_time_over_what_is_free(busy, work):
    """M/G/1 with processor sharing: S / (1 - ρ), whatever the distribution of the work."""
    took, _ = sojourns(shared(1.0), busy, work)
    assert mean(took) == pytest.approx(1.0 / (1.0 - busy), rel=0.05)


@pytest.mark.parametrize(("capacity", "busy"), [(2, 0.7), (8, 0.8)])
def test_a_piece_of_work_gets_no_more_than_one_core_of_several(capacity, busy):
    """The number in an M/M/c queue does not depend on who is served first."""
    took, _ = sojourns(shared(capacity), busy * capacity, lambda draw: draw.expovariate(1.0))
    assert mean(took) == pytest.approx(1.0 + wait_of_mmc(capacity, busy * capacity), rel=0.05)


@pytest.mark.parametrize(("number", "busy"), [(1, 0.6), (4, 0.8)])
def test_jobs_wait_for_workers_as_in_an_mmc_queue(number, busy):
    took, lasted = sojourns(workers(number), busy * number, lambda draw: draw.expovariate(1.0))
    assert mean(took) - 1.0 == pytest.approx(wait_of_mmc(number, busy * number), rel=0.1)
    assert STUDIES / lasted / number == pytest.approx(busy, rel=0.02)


@pytest.mark.parametrize(("number", "busy"), [(1, 0.6), (4, 0.8), (12, 0.9)])
def test_jobs_of_one_length_wait_about_half_as_long(number, busy):
    """M/D/c by the formula of Cosmetatos (1976); with one server that of Pollaczek and Khinchine."""
    took, _ = sojourns(workers(number), busy * number, lambda _: 1.0)
    crowd = (1 - busy) * (number - 1) * (math.sqrt(4 + 5 * number) - 2) / (16 * busy * number)
    assert mean(took) - 1.0 == pytest.approx(wait_of_mmc(number, busy * number) / 2 * (1 + crowd), rel=0.1)


def test_a_station_has_done_all_the_work_that_it_got():
    env = simpy.Environment()
    station = Shared(env, 3.0)
    for seconds in (1.0, 2.0, 3.5, 0.0):
        station.work(seconds)
    env.run()
    assert station.worked_s == pytest.approx(6.5)
    assert len(station) == 0


def test_two_pieces_go_half_as_fast_as_one():
    env, ends = simpy.Environment(), []
    station = Shared(env, 1.0)

    def piece(at: float, seconds: float) -> Iterator[simpy.Event]:
        yield env.timeout(at)
        yield station.work(seconds)
        ends.append(env.now)

    env.process(piece(0.0, 2.0))
    env.process(piece(1.0, 2.0))
    env.run()
    assert ends == pytest.approx([3.0, 4.0])


def test_a_station_without_capacity_is_refused():
    with pytest.raises(ValueError, match="never ends"):
        Shared(simpy.Environment(), 0.0)


def test_the_bell_wakes_all_that_wait_and_nobody_who_comes_later():
    env, woken = simpy.Environment(), []
    bell = Bell(env)

    def wait(at: float) -> Iterator[simpy.Event]:
        yield env.timeout(at)
        yield bell.next
        woken.append((at, env.now))

    for at in (0.0, 1.0, 3.0):
        env.process(wait(at))
    for at in (2.0, 4.0):
        env.timeout(at).callbacks.append(lambda _: bell.ring())
    env.run()
    assert woken == [(0.0, 2.0), (1.0, 2.0), (3.0, 4.0)]


def test_a_job_gets_a_worker_that_has_nothing_to_do_before_one_that_has():
    env = simpy.Environment()
    place = Pipeline(Shared(env, 1.0), Shared(env, 1.0))
    three = [Worker(place, simpy.Resource(env), free=2) for _ in range(3)]
    all_of_them = Workers(env, three)
    first = [all_of_them.take().value for _ in range(3)]
    assert {id(one) for one in first} == {id(one) for one in three}
    second = [all_of_them.take().value for _ in range(3)]
    assert {id(one) for one in second} == {id(one) for one in three}
    late = all_of_them.take()
    assert not late.triggered
    all_of_them.give_back(three[1])
    assert late.value is three[1]
    assert [one.free for one in three] == [0, 0, 0]
    for worker in (three[0], three[0], three[2]):
        all_of_them.give_back(worker)
    assert all_of_them.take().value is three[0]
