"""The small set-ups simulated, and how far that is from what was measured."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean
from typing import Any

import simpy
from scale.setups import QUIET_S, Outcome, SetUp, outcome
from scale.steps import Walk
from scale.walk import Case, Nodes, Plant, run

ROUNDS = 40  # when a stage looks is left to chance, so the mean of so many is told
ALLOWED = 0.2


@dataclass(frozen=True)
class Point:
    """One set-up: what some studies took alone, what was measured under load, on a machine of so many cores."""

    setup: SetUp
    alone: tuple[Walk, ...]
    measured: Outcome
    cores: int

    @cached_property
    def simulated(self) -> Outcome:
        """What the simulation makes of the steps alone."""
        return simulated(self.setup, self.alone, self.cores)

    def errors(self) -> dict[str, float]:
        """By how much the simulation is above what was measured, as a share of it."""
        return {name: getattr(self.simulated, name) / value - 1.0 for name, value in vars(self.measured).items()}


def points_of(calibration: Mapping[str, Any]) -> list[Point]:
    """Those that a calibration has."""
    cores = calibration["machine"]["cores"]
    return [
        Point(SetUp(**one["setup"]), tuple(Walk(**walk) for walk in one["alone"]), Outcome(**one["measured"]), cores)
        for one in calibration["curve"]
    ]


def simulated(setup: SetUp, alone: Sequence[Walk], cores: int, rounds: int = ROUNDS) -> Outcome:
    """The mean of so many rounds of the set-up, in which each study takes what one of those took."""
    outcomes = [_once(setup, alone, cores, number) for number in range(rounds)]
    return Outcome(**{name: mean(getattr(one, name) for one in outcomes) for name in vars(outcomes[0])})


def _once(setup: SetUp, alone: Sequence[Walk], cores: int, seed: int) -> Outcome:
    env, draw = simpy.Environment(), random.Random(seed)
    plant = Plant(devices=setup.workers, quiet_s=QUIET_S, machine_cores=cores)
    nodes = Nodes(env, plant, draw)
    walks = [draw.choice(alone) for _ in range(setup.studies)]
    cases = [Case(send_s=walk.send, walk=walk, network_s=setup.model_s) for walk in walks]
    arrivals = [(at, number % setup.senders, cases[number]) for number, at in enumerate(setup.arrivals())]
    told = run(env, nodes, arrivals, setup.senders)
    return outcome(told.result_s, told.last_end - arrivals[0][0])
