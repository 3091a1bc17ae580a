"""Whole cases seen by the network of the moment: how good it is, and above which probability to believe it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from inference.answer import convinced, decode
from inference.evaluation.metrics import dice
from inference.recipe import Output, Region
from inference.sliding import Sliding, probabilities, slide
from inference.tasks import TASKS
from inference.tasks.postprocess import components
from inference.training.cases import Case
from inference.training.config import TrainingSettings
from inference.training.losses import HybridLoss
from inference.volume import Grid, regular_affine

Chances = NDArray[np.float16]  # (channel, z, y, x) on the working grid

_THRESHOLDS = (0.5, 0.3, 0.4, 0.6, 0.7, 0.2)
_PEAKS = (0.0, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)  # nearer to 1 float16 tells none apart
_WORTHWHILE = 0.002  # a gain in Dice below this is luck; the first of the list stays


def look(network: torch.nn.Module, case: Case, settings: TrainingSettings, device: str) -> Chances:
    """Probabilities float16 (channel, z, y, x) of a whole case."""
    return chances_of(logits_of(network, case, settings, device), case, settings.output)


def logits_of(network: torch.nn.Module, case: Case, settings: TrainingSettings, device: str) -> NDArray[np.float32]:
    """What the network answers to a whole case, (channel, z, y, x)."""
    sliding = Sliding(settings.window, settings.overlap, device=device)
    return slide(network, case.image.astype(np.float32), case.foreground, sliding)


def chances_of(logits: NDArray[np.floating], case: Case, output: Output) -> Chances:
    """The probabilities that the output makes of a case's logits."""
    return probabilities(logits.astype(np.float32), case.foreground, output).astype(np.float16)


class Found(NamedTuple):
    """How good a network is on whole cases: mean loss, mean Dice by region."""

    loss: float
    dice: dict[str, float]


def validate(network: torch.nn.Module, cases: Sequence[Case], settings: TrainingSettings, device: str,
             loss: HybridLoss) -> Found:
    """Loss and Dice over whole cases on the working grid, one case at a time."""
    losses, scores = [], []
    for case in cases:
        logits = logits_of(network, case, settings, device)
        labels = torch.from_numpy(np.array(case.labels))
        losses.append(float(loss(torch.from_numpy(logits)[None], labels[None])))
        scores.append(case_dice(chances_of(logits, case, settings.output), case, settings))
    return Found(float(np.mean(losses)), _mean(scores))


def mean_dice(seen: Iterable[Chances], cases: Sequence[Case], settings: TrainingSettings) -> dict[str, float]:
    """Mean Dice by region after the task's postprocessing, on the working grid; `seen` is taken one by one."""
    return _mean([case_dice(chances, case, settings) for chances, case in zip(seen, cases, strict=True)])


def case_dice(chances: Chances, case: Case, settings: TrainingSettings) -> dict[str, float]:
    """Dice by region after the task's postprocessing."""
    output = settings.output
    labels = TASKS[settings.task].postprocess(decode(convinced(chances, output), output), working_grid(case, settings))
    return {region.name: dice(np.isin(labels, region.members), np.isin(case.labels, region.members))
            for region in output.regions}


def calibrate(seen: Iterable[Chances], cases: Sequence[Case], output: Output,
              given: Mapping[str, float] = MappingProxyType({})) -> Output:
    """The output with the threshold and the peak of each region under which the mean Dice is highest.

    `seen` is taken one by one. `given` is the Dice, by region, that is given for the lowest threshold there is for it.
    """
    if output.activation == "softmax":
        return output
    trials: dict[tuple[int, float], list[_Parts]] = {}
    for chances, case in zip(seen, cases, strict=True):
        for (channel, region), threshold in itertools.product(output.foreground(), _THRESHOLDS):
            parts = _parts(chances[channel], case, region, threshold)
            trials.setdefault((channel, threshold), []).append(parts)
    regions = list(output.regions)  # a channel that is left out keeps its place
    for channel, region in output.foreground():
        scores = {(threshold, peak): float(np.mean([parts.dice(peak) for parts in trials[channel, threshold]]))
                  for threshold, peak in itertools.product(_THRESHOLDS, _PEAKS)}
        threshold, peak = _highest(scores)
        if region.name in given:
            least = scores[threshold, peak] - given[region.name]
            threshold = min(threshold for (threshold, _), score in scores.items() if score >= least)
            _, peak = _highest({key: score for key, score in scores.items() if key[0] == threshold})
        regions[channel] = region.model_copy(update={"threshold": threshold, "peak": peak})
    return output.model_copy(update={"regions": tuple(regions)})


def _highest(scores: Mapping[tuple[float, float], float]) -> tuple[float, float]:
    """The key of the highest score; one that is higher by luck alone does not take an earlier one's place."""
    best, chosen = -1.0, (0.0, 0.0)
    for key, score in scores.items():
        if score > best + _WORTHWHILE:
            best, chosen = score, key
    return chosen


class _Parts(NamedTuple):
    """What a threshold finds of a region in a case: by connected part its voxels, the right ones, its peak."""

    voxels: NDArray[np.int64]
    right: NDArray[np.int64]
    peaks: NDArray[np.float64]
    truth: int

    def dice(self, peak: float) -> float:
        """Dice of the parts that reach `peak`."""
        kept = self.peaks >= peak
        total = int(self.voxels[kept].sum()) + self.truth
        return 1.0 if total == 0 else 2.0 * int(self.right[kept].sum()) / total


def _parts(chance: NDArray[np.float16], case: Case, region: Region, threshold: float) -> _Parts:
    truth = np.isin(case.labels, region.members)
    numbered, voxels = components(chance > threshold)
    right = np.bincount(numbered[truth], minlength=voxels.size + 1)[1:]
    peaks = ndimage.maximum(chance.astype(np.float32), numbered, np.arange(1, voxels.size + 1))
    return _Parts(voxels, right, np.asarray(peaks, dtype=np.float64), int(truth.sum()))


def _mean(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}


def working_grid(case: Case, settings: TrainingSettings) -> Grid:
    """A grid of the working spacing; where it lies does not matter."""
    z, y, x = case.labels.shape
    return Grid((z, y, x), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], settings.recipe.spacing))
