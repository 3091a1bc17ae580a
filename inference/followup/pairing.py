"""How well a prior lesion, laid onto the current study, would do for a current one: the evidence, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.followup.lesion import Lesion
from inference.followup.register import Registration

SLACK_MM = 5.0  # what registration, breathing and outlines may put between two centres
CLOSE_MM = 4.0  # two small lesions this near need not overlap
LEAST_OVERLAP = 0.2
MOST_TIMES = 10.0  # of the volume, either way
MOST_RESIDUAL_MM = 6.0  # around the lesion


@dataclass(frozen=True)
class Pair:
    """Two lesions of one type that may be the same, and what speaks for it.

    `distance_mm` between the centres after mapping; `overlap` 0..1 of the smaller one and `dice` 0..1 after mapping;
    `volume_ratio` current over prior; `residual_mm` by which the images are off around it. `cost`: 0 for a perfect
    match; `runner_up`: the least cost at which either lesion could be paired otherwise, None where it could not.
    """

    prior: str
    current: str
    distance_mm: float
    overlap: float
    dice: float
    volume_ratio: float
    residual_mm: float
    cost: float
    runner_up: float | None = None

    @property
    def objection(self) -> str:
        """Why these are not matched although they lie near one another; empty where nothing speaks against it."""
        if self.residual_mm > MOST_RESIDUAL_MM:
            return f"the images are {self.residual_mm:.0f} mm apart around it"
        if self.overlap < LEAST_OVERLAP and self.distance_mm > CLOSE_MM:
            return f"the nearest lesion lies {self.distance_mm:.0f} mm away and hardly overlaps it"
        if not 1 / MOST_TIMES <= self.volume_ratio <= MOST_TIMES:
            return f"the lesion at its place has {self.volume_ratio:.2g} times the volume"
        return ""


def pairs_near(prior: Sequence[Lesion], current: Sequence[Lesion], registration: Registration) -> list[Pair]:
    """All pairs of one type that lie near enough to be thought of: within reach of one another, or overlapping."""
    stretch = float(abs(np.linalg.det(registration.matrix[:3, :3])))
    there = [(lesion, registration.to_current(lesion.centre), registration.to_current(lesion.points))
             for lesion in prior]
    pairs = []
    for now in current:
        back = registration.to_prior(now.points)
        for before, centre, points in there:
            if before.identity.type != now.identity.type:
                continue
            distance = float(np.linalg.norm(centre - now.centre))
            volume = before.size.volume_ml * stretch
            common = (float(now.holds(points).mean()) * volume
                      + float(before.holds(back).mean()) * now.size.volume_ml) / 2
            reach = SLACK_MM + (before.radius_mm + now.radius_mm) / 2
            if distance > reach and common == 0:
                continue
            overlap = min(1.0, common / min(volume, now.size.volume_ml))
            dice = min(1.0, 2 * common / (volume + now.size.volume_ml))
            ratio = now.size.volume_ml / before.size.volume_ml
            residual = registration.residual.around(now.centre, max(before.radius_mm, now.radius_mm))
            cost = _cost(distance / reach, overlap, ratio)
            pairs.append(Pair(before.uid, now.uid, distance, overlap, dice, ratio, residual, cost))
    return pairs


def _cost(distance: float, overlap: float, ratio: float) -> float:
    """Place counts twice, size half: lesions grow, but do not wander. Overlap is the smaller one's, for the same."""
    return distance + (1 - overlap) + 0.5 * abs(float(np.log(ratio))) / float(np.log(MOST_TIMES))
