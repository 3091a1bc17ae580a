"""From a training configuration to a bundle, in one call."""

from __future__ import annotations

from pathlib import Path

from inference.training.config import load_settings
from inference.training.export import export
from inference.training.loop import Best
from inference.training.loop import train as train_network


def train(configuration: Path, bundle: Path, cache: Path, *, licence: Path, workers: int = 2) -> Best:
    """Train as the YAML file says and write the bundle folder; `cache` keeps phantoms and a checkpoint to resume from.

    Returns the validation scores of the weights that were kept. ModelError where the configuration is wrong.
    """
    settings = load_settings(configuration)
    trainer, best = train_network(settings, cache, workers=workers)
    export(settings, trainer.network, best, bundle, licence)
    return best
