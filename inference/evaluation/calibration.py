"""Does a probability of 0.8 mean that 8 of 10 such voxels are true? Reliability bins, their error, the Brier score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.errors import Unscorable
from inference.evaluation.metrics import Mask
from inference.evaluation.record import Record

BINS = 15  # of probability (Guo et al. 2017, 4)
_AT_ONCE = 1 << 22  # voxels; a scan in float64 would be gigabytes


class ReliabilityBin(Record):
    """Voxels with a probability from `low` to less than `high` (the last bin: to 1), what was said and what is."""

    low: float
    high: float
    voxels: int
    mean_probability: float | None  # None in an empty bin
    share_true: float | None


class Reliability(Record):
    """Calibration of a region over all voxels looked at.

    `ece` is the expected calibration error: the mean distance of said and true share, weighted by the voxels of a bin.
    `brier` is the mean squared distance of probability and truth.
    """

    region: str
    bins: tuple[ReliabilityBin, ...]
    voxels: int
    ece: float
    brier: float


class ReliabilityCounter:
    """Adds up voxels case by case, in float64: a data set has more voxels than float32 can count."""

    def __init__(self, bins: int = BINS) -> None:
        if bins < 1:
            raise Unscorable(f"{bins} bins hold no voxel: give 1 or more")
        self._voxels, self._said, self._true = (np.zeros(bins) for _ in range(3))
        self._squares = 0.0

    def add(self, probabilities: NDArray[np.floating], truth: Mask, where: Mask | None = None) -> None:
        """Count a case's voxels, probabilities 0..1 and truth of one shape; only those in `where`, if given.

        Most voxels of a scan are background that is told with ease and hides all else: `where` should be the part
        that is worth looking at.
        """
        if probabilities.shape != truth.shape or (where is not None and where.shape != truth.shape):
            raise Unscorable(f"probabilities of shape {probabilities.shape} do not lie on a truth of {truth.shape}")
        chances = (probabilities if where is None else probabilities[where]).ravel()
        real = (truth if where is None else truth[where]).ravel()
        if chances.size and not (chances.min() >= 0 and chances.max() <= 1):
            raise Unscorable(f"probabilities lie in 0..1, not {chances.min():.3g}..{chances.max():.3g}: "
                             "apply the sigmoid or softmax first")
        for start in range(0, chances.size, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            one = np.ones(chances[part].size)
            self.add_groups(chances[part].astype(np.float64), real[part].astype(np.float64), one)

    def add_groups(self, chances: NDArray[np.float64], real: NDArray[np.float64], voxels: NDArray[np.float64]) -> None:
        """Count groups of so many `voxels`, each group of one probability 0..1, `real` of them inside the region."""
        bins = self._voxels.size
        at = np.minimum((chances * bins).astype(np.intp), bins - 1)
        self._voxels += np.bincount(at, weights=voxels, minlength=bins)
        self._said += np.bincount(at, weights=chances * voxels, minlength=bins)
        self._true += np.bincount(at, weights=real, minlength=bins)
        self._squares += float(np.sum(real * (1 - chances) ** 2 + (voxels - real) * chances ** 2))

    def result(self, region: str) -> Reliability:
        """The calibration so far; Unscorable where no voxel was counted."""
        total = float(self._voxels.sum())
        if total == 0:
            raise Unscorable(f"no voxel of {region} was looked at: give probabilities of at least one case")
        edges = np.linspace(0, 1, self._voxels.size + 1)
        rows = zip(edges, edges[1:], self._voxels, self._said, self._true, strict=False)
        bins = tuple(
            ReliabilityBin(low=float(low), high=float(high), voxels=int(n),
                           mean_probability=float(said / n) if n else None, share_true=float(true / n) if n else None)
            for low, high, n, said, true in rows
        )
        return Reliability(region=region, bins=bins, voxels=int(total), brier=self._squares / total,
                           ece=float(np.abs(self._said - self._true).sum() / total))


def reliability(region: str, probabilities: NDArray[np.floating], truth: Mask, bins: int = BINS) -> Reliability:
    """Calibration of one array of probabilities."""
    counter = ReliabilityCounter(bins)
    counter.add(probabilities, truth)
    return counter.result(region)
