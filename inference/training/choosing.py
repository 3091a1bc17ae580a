"""What a finished run leaves: of its good weights those that do best once temperatures and thresholds are chosen."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from inference.training.calibration import tempered
from inference.training.config import TrainingSettings
from inference.training.loop import Best, Trainer, Weights
from inference.training.validation import calibrate, chances_of, logits_of, mean_dice

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Chosen:
    """The network with the weights that were chosen, the settings with the output that was, and how good they are."""

    network: torch.nn.Module
    settings: TrainingSettings
    best: Best


class Candidate(NamedTuple):
    """Weights that may be kept, and after how many steps the latest of them were there."""

    name: str
    weights: Weights
    step: int


def choose(trainer: Trainer) -> Chosen:
    """Temperatures, thresholds and peaks by the validation cases; with `average` the weights too, see `candidates`."""
    tried = []
    for candidate in candidates(trainer):
        trainer.judged.load_state_dict(candidate.weights)
        trainer.judged.eval()
        settings, dice = _calibrated(trainer)
        tried.append((float(np.mean(list(dice.values()))), dice, settings, candidate))
        log.info("%s, calibrated: validation Dice %.3f %s", candidate.name, tried[-1][0],
                 " ".join(f"{r.name} above {r.threshold:g} with a peak of {r.peak:g}" for r in settings.output.regions))
    score, dice, settings, chosen = max(tried, key=lambda one: one[0])
    trainer.judged.load_state_dict(chosen.weights)
    return Chosen(trainer.judged, settings, Best(score, dice, chosen.step))


def candidates(trainer: Trainer) -> Iterator[Candidate]:
    """The best weights, the last, and means of them: between good weights often lie better ones.

    The last may have only needed other thresholds. Means: Wortsman et al. 2022, "Model soups". Where the last are to
    be kept nothing else is tried.
    """
    best, last = trainer.best_weights, trainer.last_weights
    if trainer.settings.keep == "last":
        yield Candidate("last", last, trainer.step)
        return
    yield Candidate("best", best, trainer.best.step)
    if trainer.settings.average:
        if trainer.best.step != trainer.step:
            yield Candidate("last", last, trainer.step)
            yield Candidate("mean of best and last", _mean([best, last]), trainer.step)
        if trainer.first_weights:
            yield Candidate("mean of first, best and last", _mean([trainer.first_weights, best, last]), trainer.step)


def _calibrated(trainer: Trainer) -> tuple[TrainingSettings, dict[str, float]]:
    """The settings with the output calibrated, and the Dice by region; logits wait on disk, one case in memory."""
    began, cases = trainer.settings, trainer.validation
    with tempfile.TemporaryDirectory() as folder:
        logits = []
        for number, case in enumerate(cases):
            path = Path(folder) / f"{number}.npy"
            np.save(path, logits_of(trainer.over_volumes, case, began, trainer.device).astype(np.float16))
            logits.append(np.load(path, mmap_mode="r"))
        output = tempered(logits, cases, began.output)
        output = calibrate((chances_of(one, case, output) for one, case in zip(logits, cases, strict=True)), cases,
                           output, began.given_for_recall)
        settings = began.model_copy(update={"output": output})
        seen = (chances_of(one, case, output) for one, case in zip(logits, cases, strict=True))
        return settings, mean_dice(seen, cases, settings)


def _mean(several: Sequence[Weights]) -> Weights:
    """Name by name; counters stay whole numbers."""
    first = several[0]
    return {name: torch.stack([one[name].float() for one in several]).mean(0).to(value.dtype)
            for name, value in first.items()}
