"""Where a network has to look closely when all that it finds lies in or on one organ.

It has seen the volume at half the resolution; what it found there, with a margin, is wanted. A window is left out where
what it would add to the sums is little everywhere in what is wanted. What is then found at full resolution is wanted as
well, so that an organ that the first look cut short is followed to its end. Voxels are thought of by the points that
stand for them, every second one along each axis: the grid of the first look.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.answer import decode
from inference.recipe import Output
from inference.volume import Grid

STEP = 2  # voxels from point to point
KEPT = 0.6  # of the weights at each wanted point; what the windows that are left out would add is the rest
MARGIN_MM = 5.0
SURE_ML = 100.0  # less of an organ is none that was recognised
POINTS = 50_000  # at most are thought of; weights are smooth

Place = tuple[slice, ...]


@dataclass(frozen=True)
class Narrow:
    """How to tell the organ, called `name`, from the answers of a network on `grid`; `tell` hears what came of it."""

    name: str
    output: Output
    grid: Grid
    tell: Callable[[str], None]

    def found(self, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Points of the organ with what lies in it, from probabilities (channel, z, y, x) of points."""
        return decode(probabilities, self.output) > 0

    def is_sure(self, points: NDArray[np.bool_]) -> bool:
        """Whether so much of the organ was found that it may be gone by."""
        return int(np.count_nonzero(points)) * STEP**3 * self.grid.voxel_ml >= SURE_ML

    def around(self, points: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Points with the margin around them."""
        reach = [int(np.ceil(MARGIN_MM / (STEP * step))) for step in self.grid.spacing]
        return np.asarray(ndimage.maximum_filter(points, [2 * n + 1 for n in reach]))


def needed(places: Sequence[Place], wanted: NDArray[np.bool_], looked: Collection[Place],
           share: float) -> list[Place]:
    """The places (z, y, x) of windows to look through for `wanted` points; those of `looked` have been.

    Windows are Gaussians of `share` of their size; those that add least are left out first.
    """
    points = STEP * np.argwhere(wanted) + STEP // 2
    points = points[::1 + len(points) // POINTS]
    weights = np.stack([_weights(points, place, share) for place in places])
    rest = total = weights.sum(axis=0)
    kept = []
    for number in np.argsort(weights.sum(axis=1), kind="stable"):
        if places[number] in looked:
            continue
        without = rest - weights[number]
        if (without >= KEPT * total).all():
            rest = without
        else:
            kept.append(int(number))
    return [places[number] for number in sorted(kept)]


def _weights(points: NDArray[np.intp], place: Place, share: float) -> NDArray[np.float32]:
    """What a window adds at each point."""
    weights = np.ones(len(points), dtype=np.float32)
    for axis, side in enumerate(place):
        size = side.stop - side.start
        distance = (points[:, axis] - side.start - (size - 1) / 2) / (share * size)
        weights *= np.where(np.abs(distance) * share <= 0.5, np.exp(-0.5 * distance**2), 0)
    return weights
