"""From a training configuration to a bundle, in one call."""

from __future__ import annotations

from pathlib import Path

from inference.training.config import load_settings
from inference.training.export import export
from inference.training.loop import train as train_network

CACHE = Path("~/.cache/segnode/training")


def train(configuration: Path, bundle: Path | None = None, cache: Path = CACHE, *, workers: int = 2) -> Path:
    """Train as the YAML file says and write the bundle, beside where it is called unless told otherwise.

    `cache` keeps the phantoms and a checkpoint: an interrupted run goes on where it was. ModelError where the
    configuration is wrong.
    """
    settings = load_settings(configuration)
    folder = bundle or Path(f"{settings.task}-{settings.version}")
    trainer, best = train_network(settings, cache.expanduser(), workers=workers)
    export(trainer.settings, trainer.network, best, folder)
    return folder
