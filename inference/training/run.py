"""From a training configuration to a bundle, in one call."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from inference.training.choosing import Chosen, choose
from inference.training.config import TrainingSettings, load_settings
from inference.training.distributed import World, joined
from inference.training.export import check_place, export
from inference.training.history import Board, write_curves
from inference.training.loop import Trainer
from inference.training.material import Material, gather

log = logging.getLogger(__name__)

CACHE = Path("~/.cache/segnode/training")
CURVES = "curves.json"


def train(configuration: Path, bundle: Path | None = None, cache: Path = CACHE, *, workers: int = 2) -> Path:
    """Train as the YAML file says and write the bundle, beside where it is called unless told otherwise.

    `cache` keeps the prepared cases and a checkpoint: an interrupted run goes on where it was. The curves lie beside
    the bundle. ModelError where the configuration is wrong or the bundle's folder is taken by something else, DataError
    where its data set is wrong.
    """
    settings = load_settings(configuration)
    folder = bundle or Path(f"{settings.task}-{settings.version}")
    check_place(folder)
    with joined() as world:
        material = gather(settings, cache.expanduser(), workers=workers, beside=configuration.parent)
        settings = settings.in_steps(len(material.training))
        board = Board(folder.with_name(f"{folder.name}-curves") if world.first else None)
        trainer = trained(settings, material, cache.expanduser(), world, board)
        if world.first:
            write(choose(trainer), material, trainer, folder)
    return folder


def trained(settings: TrainingSettings, material: Material, cache: Path, world: World | None = None,
            board: Board | None = None) -> Trainer:
    """A run of so many steps at its end; it goes on from its checkpoint in `cache` where there is one.

    That is one of the same cases: what is left out of a split may be another case than before, or none any more.
    """
    left_out = "".join(f" {failure.case}" for failure in material.failures)
    run = hashlib.sha256(f"{settings.model_dump_json()} {material.split}{left_out}".encode()).hexdigest()[:12]
    trainer = Trainer(settings, material.training, material.validation, cache / f"{settings.task}-{run}.pt", world)
    trainer.run(board)
    return trainer


def write(chosen: Chosen, material: Material, trainer: Trainer, folder: Path) -> None:
    """The bundle, and the curves beside it."""
    export(chosen.settings, chosen.network, chosen.best, folder, material)
    curves = folder.with_name(f"{folder.name}-curves")
    curves.mkdir(parents=True, exist_ok=True)
    write_curves(trainer.history, curves / CURVES)
