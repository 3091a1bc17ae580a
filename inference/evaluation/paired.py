"""Is one model better than another on the same cases, or was it luck?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.errors import Unscorable
from inference.evaluation.intervals import RESAMPLING, Resampling, mean_interval
from inference.evaluation.record import Record


class Difference(Record):
    """Mean over cases of model less reference, with its interval, over the `n` cases that both have a finite value of.

    `unpaired` cases are in one only, or infinite in either. `p` is of the Wilcoxon signed-rank test, two-sided;
    `p_holm` the same after Holm's correction, where several comparisons were made.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    unpaired: int = 0
    p: float | None = None
    p_holm: float | None = None


def paired_difference(model: Mapping[str, float], reference: Mapping[str, float],
                      resampling: Resampling = RESAMPLING) -> Difference:
    """Compare the values of two models by case; Unscorable where they share no case."""
    shared = sorted(set(model) & set(reference))
    if not shared:
        raise Unscorable("the two models have no case in common: evaluate both on the same cases")
    pairs = np.array([(model[case], reference[case]) for case in shared], dtype=np.float64)
    finite = pairs[np.isfinite(pairs).all(axis=1)]
    differences = finite[:, 0] - finite[:, 1]
    mean = mean_interval(differences.tolist(), resampling)
    unpaired = len(set(model) | set(reference)) - mean.n
    return Difference(mean=mean.mean, low=mean.low, high=mean.high, n=mean.n, unpaired=unpaired,
                      p=_wilcoxon(differences))


def _wilcoxon(differences: NDArray[np.float64]) -> float | None:
    """p of the signed-rank test; 1 where nothing differs, None without cases."""
    from scipy.stats import wilcoxon

    if differences.size == 0:
        return None
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p after Holm's step-down correction for all of them, in the given order."""
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0) if len(p_values) else scaled
    return [float(p) for p in corrected]


def average_seeds(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """One value a case from several trainings of a model that differ in their seed: the mean over seeds.

    Cases, not trainings, are what a comparison resamples; a case judged by five seeds is still one case.
    """
    if not runs:
        raise Unscorable("there is no training to average over")
    cases = set(runs[0])
    for number, run in enumerate(runs[1:], start=2):
        if set(run) != cases:
            odd = sorted(set(run) ^ cases)[0]
            raise Unscorable(f"training {number} was not judged on the cases of the first ({odd} is in one only): "
                             "evaluate every seed on the same cases")
    return {case: float(np.mean([run[case] for run in runs])) for case in sorted(cases)}
