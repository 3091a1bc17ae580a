"""A simulated study takes what its steps take, waits where it has to, and none is lost."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import accumulate
from statistics import mean

import pytest
import simpy
from scale.setups import quantile
from scale.steps import Walk
from scale.walk import Case, Nodes, Plant, Told, run

from dicom_node.pipeline.loop import IDLE_MAX_S

WALK = Walk(images=100, send=1.0, stages=0.1, read=0.5, prepare=1.0, measure=0.25, encode=2.0,
            deliver=0.2)  # fmt: skip
CASE = Case(send_s=4.0, receiver_s=1.0, database_s=0.1, walk_database_s=0.03, disk_s=0.5, balancer_s=0.2, walk=WALK,
            network_s=8.0)  # fmt: skip
UNROUTED = replace(CASE, walk=None, walk_database_s=0.0)
ALONE_S = 0.1 + 0.5 + 1.0 + 8.0 + 0.25 + 2.0 + 0.01 + 0.2  # the database's third is told when the job ends


def at_random(every_s: float, studies: int, *cases: Case, scanners: int = 50) -> list[tuple[float, int, Case]]:
    draw = random.Random(3)
    times = accumulate(draw.expovariate(1 / every_s) for _ in range(studies))
    return [(at, number % scanners, cases[number % len(cases)]) for number, at in enumerate(times)]


def simulated(plant: Plant, arrivals: list[tuple[float, int, Case]], seed: int = 1) -> tuple[Told, Nodes]:
    env = simpy.Environment()
    nodes = Nodes(env, plant, random.Random(seed))
    return run(env, nodes, arrivals, 50), nodes


def test_a_study_alone_takes_the_sum_of_its_steps():
    told, _ = simulated(Plant(quiet_s=30.0), [(0.0, 0, CASE)])
    assert told.sent_s == [pytest.approx(4.0)]
    assert 30.0 + ALONE_S <= told.result_s[0] <= 30.0 + ALONE_S + IDLE_MAX_S


def test_the_slowest_station_says_when_the_last_image_is_there():
    slow = replace(CASE, receiver_s=6.0)
    told, _ = simulated(Plant(), [(0.0, 0, slow), (0.0, 1, slow)])
    assert told.sent_s == [pytest.approx(12.0)] * 2
    told, _ = simulated(Plant(receivers=2), [(0.0, 0, slow), (0.0, 1, slow)])
    assert told.sent_s == [pytest.approx(6.0)] * 2


def test_a_scanner_sends_one_study_after_another():
    told, _ = simulated(Plant(), [(0.0, 0, CASE), (0.0, 0, CASE)])
    assert told.sent_s == [pytest.approx(4.0), pytest.approx(8.0)]


def test_what_no_route_wants_is_kept_and_makes_no_result():
    told, nodes = simulated(Plant(), [(0.0, 0, UNROUTED)])
    assert (told.came, told.ended, told.result_s) == (1, 1, [])
    assert nodes.workers[0].used_s == 0.0


def test_a_stage_that_looks_once_a_second_costs_half_a_second_in_the_mean():
    apart = [(60.0 * number, 0, CASE) for number in range(2000)]
    told, _ = simulated(Plant(quiet_s=0.0), apart)
    assert mean(told.result_s) - ALONE_S == pytest.approx(IDLE_MAX_S / 2, rel=0.05)
    told, _ = simulated(Plant(quiet_s=0.0, pipelines=9), apart)
    assert mean(told.result_s) - ALONE_S == pytest.approx(IDLE_MAX_S / 10, rel=0.1)


def test_what_comes_in_goes_out_and_every_station_did_its_part():
    plant = Plant(receivers=3, pipelines=2, devices=7, databases=2)
    arrivals = at_random(2.0, 3000, CASE, UNROUTED)
    told, nodes = simulated(plant, arrivals)
    assert told.came == told.ended == len(told.sent_s) == 3000
    assert len(told.result_s) == 1500
    assert sum(one.worked_s for one in nodes.receivers) == pytest.approx(3000 * CASE.receiver_s)
    assert sum(one.worked_s for one in nodes.databases) == pytest.approx(3000 * 0.1 + 1500 * 0.03)
    assert nodes.disk.worked_s == pytest.approx(3000 * CASE.disk_s)
    assert sum(one.used_s for one in nodes.workers) == pytest.approx(1500 * 8.0)
    assert sum(one.process.worked_s for one in nodes.pipelines) == pytest.approx(1500 * (2.0 + 0.2))
    assert all(not len(one) for one in (*nodes.receivers, *nodes.databases, nodes.disk, nodes.balancer))


def test_the_same_seed_gives_the_same_to_the_last_digit():
    arrivals = at_random(5.0, 500, CASE, UNROUTED)
    one, other, another = (simulated(Plant(devices=2), arrivals, seed)[0].result_s for seed in (1, 1, 2))
    assert one == other
    assert one != another


def test_one_device_keeps_jobs_waiting_as_an_md1_queue_does():
    """Only the device's own time counts, as the other lane reads meanwhile. Pollaczek, Khinchine: ρ S / 2 (1 - ρ)."""
    walk = replace(WALK, read=0.0, prepare=0.0, measure=0.0, encode=0.0, deliver=0.0, stages=0.0)
    case = Case(send_s=0.0, walk=walk, network_s=8.0)
    told, _ = simulated(Plant(quiet_s=0.0), at_random(8.0 / 0.7, 10_000, case, scanners=1))
    waited = mean(told.result_s) - 8.0
    assert waited == pytest.approx(0.7 * 8.0 / (2 * 0.3) + IDLE_MAX_S / 2, rel=0.1)


@pytest.mark.parametrize(
    "more", [{"devices": 3}, {"devices": 3, "pipelines": 2}, {"devices": 2, "pipeline_cores": 64.0}]
)
def test_more_of_anything_makes_no_result_later(more):
    arrivals = at_random(5.5, 1200, CASE)
    few, _ = simulated(Plant(devices=2, pipeline_cores=4.0), arrivals)
    many, _ = simulated(Plant(**{"pipeline_cores": 4.0, **more}), arrivals)
    for part in (0.5, 0.95, 0.99):
        assert quantile(sorted(many.result_s), part) <= quantile(sorted(few.result_s), part) + IDLE_MAX_S


def test_more_studies_make_results_later():
    last = 0.0
    for every_s in (20.0, 8.0, 6.0, 5.0, 4.0):
        told, _ = simulated(Plant(devices=2), at_random(every_s, 1200, CASE))
        p95 = quantile(sorted(told.result_s), 0.95)
        assert p95 > last
        last = p95


def test_on_one_machine_all_share_its_cores():
    told, _ = simulated(Plant(machine_cores=1), [(0.0, 0, CASE), (0.0, 1, CASE)])
    assert told.sent_s == [pytest.approx(8.0)] * 2
