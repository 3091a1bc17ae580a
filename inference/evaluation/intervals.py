"""How sure a mean is: intervals by resampling cases with replacement, the same at every run (Efron's bootstrap)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.errors import Unscorable
from inference.evaluation.record import Record


class Resampling(Record):
    """How intervals are drawn: percentiles of `resamples` means, or bias-corrected and accelerated (BCa)."""

    resamples: int = Field(default=1000, ge=100)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    seed: int = 0
    method: Literal["percentile", "BCa"] = "percentile"

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends as percentiles."""
        half = 50 * (1 - self.confidence)
        return half, 100 - half

    def draws(self, n: int) -> NDArray[np.intp]:
        """Cases drawn with replacement, shape (resamples, n)."""
        return np.random.default_rng(self.seed).integers(n, size=(self.resamples, n))


RESAMPLING = Resampling()


class Interval(Record):
    """A mean over `n` cases with its interval; `infinite` further cases had no finite value and stand beside it.

    No case, no mean; one case, no interval.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    infinite: int = 0


def mean_interval(values: Sequence[float], resampling: Resampling = RESAMPLING, *,
                  penalty: float | None = None) -> Interval:
    """Mean of one value a case with its interval.

    Infinite values (the distance to a region that was not found) are counted and left out, so that the mean keeps a
    meaning; with `penalty` each counts as that much instead (374 mm in BraTS 2021).
    """
    array = np.asarray(values, dtype=np.float64)
    if np.isnan(array).any():
        raise Unscorable("a score is not a number: leave out what was not measured")
    if penalty is not None:
        array = np.where(np.isinf(array), penalty, array)
    finite = array[np.isfinite(array)]
    infinite = int(array.size - finite.size)
    if finite.size == 0:
        return Interval(mean=None, low=None, high=None, n=0, infinite=infinite)
    mean = float(finite.mean())
    low, high = _ends(finite, resampling)
    return Interval(mean=mean, low=low, high=high, n=int(finite.size), infinite=infinite)


def _ends(values: NDArray[np.float64], resampling: Resampling) -> tuple[float | None, float | None]:
    if values.size < 2:
        return None, None
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    if resampling.method == "BCa":
        from scipy.stats import bootstrap

        found = bootstrap((values,), np.mean, n_resamples=resampling.resamples, method="BCa",
                          confidence_level=resampling.confidence,
                          random_state=np.random.default_rng(resampling.seed)).confidence_interval
        return float(found.low), float(found.high)
    low, high = np.percentile(values[resampling.draws(values.size)].mean(axis=1), resampling.ends)
    return float(low), float(high)


def ratio_interval(parts: Sequence[float], wholes: Sequence[float], resampling: Resampling = RESAMPLING) -> Interval:
    """Sum of `parts` over sum of `wholes`, one of each a case (lesions hit of lesions), resampled by case.

    Always by percentiles; a resample without any whole says nothing and is left out.
    """
    if len(parts) != len(wholes):
        raise Unscorable(f"{len(parts)} parts and {len(wholes)} wholes: give one of each a case")
    part, whole = np.asarray(parts, dtype=np.float64), np.asarray(wholes, dtype=np.float64)
    n = int(whole.size)
    if whole.sum() == 0:
        return Interval(mean=None, low=None, high=None, n=n)
    mean = float(part.sum() / whole.sum())
    if n < 2:
        return Interval(mean=mean, low=None, high=None, n=n)
    drawn = resampling.draws(n)
    sums = whole[drawn].sum(axis=1)
    ratios = part[drawn].sum(axis=1)[sums > 0] / sums[sums > 0]
    low, high = np.percentile(ratios, resampling.ends)
    return Interval(mean=mean, low=float(low), high=float(high), n=n)
