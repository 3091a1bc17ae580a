"""Temperatures: one number a region by which logits are divided, so that probabilities are as often right as they say.

Chosen on the validation cases, which the network did not learn from, by the least cross entropy (Guo et al. 2017,
arXiv 1706.04599). Thresholds and peaks are chosen afterwards, by the probabilities that result.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

from inference.evaluation.calibration import ReliabilityCounter
from inference.recipe import Output, Region
from inference.training.cases import Case

log = logging.getLogger(__name__)

Logits = NDArray[np.float16]  # (channel, z, y, x) on the working grid

_EDGES = np.linspace(-16.0, 16.0, 641)  # of the bins in which logits are counted; what lies beyond is in the outermost
_CENTRES = (_EDGES[:-1] + _EDGES[1:]) / 2
_SUSPECTED = 0.01  # probability from which a voxel counts for the error: else nothing but sure background would
_BOUNDS = (0.25, 8.0)  # of temperatures that are tried
_WORTHWHILE = 0.01  # share of the cross entropy; a temperature that saves less is luck


class Tally(NamedTuple):
    """Voxels by their logit's bin: those inside the region in truth, and all."""

    inside: NDArray[np.float64]
    all: NDArray[np.float64]

    def cross_entropy(self, temperature: float) -> float:
        """Mean over the voxels, in nats."""
        tempered = _CENTRES / temperature
        outside = self.all - self.inside
        total = self.inside @ np.logaddexp(0, -tempered) + outside @ np.logaddexp(0, tempered)
        return float(total / self.all.sum())

    def error(self, temperature: float) -> float:
        """Expected calibration error, 0..1, of the voxels that the network suspects without a temperature."""
        suspected = (expit(_CENTRES) >= _SUSPECTED) & (self.all > 0)
        if not suspected.any():
            return 0.0
        counter = ReliabilityCounter()
        counter.add_groups(expit(_CENTRES / temperature)[suspected], self.inside[suspected], self.all[suspected])
        return counter.result("the region").ece

    def temperature(self) -> float:
        """That of the least cross entropy; 1 where it saves little, or where there is nothing to learn from."""
        if not (0 < self.inside.sum() < self.all.sum()):
            return 1.0
        low, high = np.log(_BOUNDS)
        best = minimize_scalar(lambda x: self.cross_entropy(float(np.exp(x))), bounds=(low, high), method="bounded")
        chosen = round(float(np.exp(best.x)), 2)
        worthwhile = self.cross_entropy(chosen) < (1 - _WORTHWHILE) * self.cross_entropy(1.0)
        return chosen if worthwhile else 1.0


def tempered(logits: Sequence[Logits], cases: Sequence[Case], output: Output) -> Output:
    """The output with each region's temperature; its calibration error before and after is logged.

    Classes of a softmax share their probabilities, so they have none.
    """
    if output.activation == "softmax":
        return output
    regions = list(output.regions)  # a channel that is left out keeps its place
    for channel, region in output.foreground():
        counted = tally(((one[channel], case) for one, case in zip(logits, cases, strict=True)), region)
        temperature = counted.temperature()
        log.info("%s: temperature %g, expected calibration error %.4f, without %.4f", region.name, temperature,
                 counted.error(temperature), counted.error(1.0))
        regions[channel] = region.model_copy(update={"temperature": temperature})
    return output.model_copy(update={"regions": tuple(regions)})


def tally(seen: Iterable[tuple[NDArray[np.floating], Case]], region: Region) -> Tally:
    """Count a region's logits (z, y, x) of several cases, where the network looked."""
    inside, every = np.zeros(len(_CENTRES)), np.zeros(len(_CENTRES))
    for logits, case in seen:
        bounded = np.clip(logits, _EDGES[0], _EDGES[-1]).astype(np.float32)
        truth = np.isin(case.labels, region.members) & case.foreground
        inside += np.histogram(bounded[truth], _EDGES)[0]
        every += np.histogram(bounded[case.foreground], _EDGES)[0]
    return Tally(inside, every)
