"""The small set-ups that are both run and simulated, and what is compared of them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

QUIET_S = 0.5
IMAGES, ROWS = 20, 128  # so small that the models, which sleep, decide, and not who else uses the processor


@dataclass(frozen=True)
class SetUp:
    """So many studies at random, `every_s` apart in the mean, from so many senders to a node with so many workers.

    Its model takes `model_s` seconds: the longer, the more workers share the few cores of the machine.
    """

    workers: int
    model_s: float
    senders: int
    studies: int
    every_s: float
    seed: int = 1

    @property
    def name(self) -> str:
        """In a few words."""
        return f"workers {self.workers}, model {self.model_s:g} s, senders {self.senders}, every {self.every_s:g} s"

    @property
    def load(self) -> float:
        """The part of the workers' time that the models need."""
        return self.model_s / self.every_s / self.workers

    def arrivals(self) -> list[float]:
        """When each is sent, in seconds from the start: the same in the run and in the simulation."""
        draw = random.Random(self.seed)
        return list(itertools.accumulate(draw.expovariate(1 / self.every_s) for _ in range(self.studies)))


SETUPS = (
    SetUp(workers=1, model_s=1.5, senders=1, studies=14, every_s=3.75),
    SetUp(workers=1, model_s=1.5, senders=2, studies=24, every_s=1.9),
    SetUp(workers=2, model_s=2.0, senders=4, studies=30, every_s=1.4),
    SetUp(workers=4, model_s=3.0, senders=6, studies=36, every_s=1.2),
)


@dataclass(frozen=True)
class Outcome:
    """Of one run: seconds from a study's last image to its result in the archive, and studies a second."""

    p50_s: float
    p95_s: float
    studies_a_s: float


def outcome(result_s: Sequence[float], lasted_s: float) -> Outcome:
    """Of the seconds to each result, and of the seconds from the first study's coming to the last result."""
    ordered = sorted(result_s)
    return Outcome(quantile(ordered, 0.5), quantile(ordered, 0.95), len(ordered) / lasted_s)


def quantile(ordered: Sequence[float], part: float) -> float:
    """Between the two values of what is sorted that are nearest to it, by the straight line."""
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
