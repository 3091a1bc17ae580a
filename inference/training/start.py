"""Where the weights of a run begin that goes on from a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from inference.backends.bundle import build_network
from inference.backends.bundle_files import read_bundle
from inference.errors import ModelError
from inference.networks.registry import CoarseToFine, complete
from inference.training.config import TrainingSettings


def begin(network: nn.Module, bundle: Path, settings: TrainingSettings) -> None:
    """Give a network, or its coarse part alone, the weights of a bundle; ModelError where neither is the bundle's."""
    files = read_bundle(bundle)
    there = complete(files.network)
    if files.card.task == settings.task:
        for part, definition in _definitions(settings):
            if there == definition:
                network.get_submodule(part).load_state_dict(build_network(files).state_dict())
                return
    raise ModelError(f"training cannot start from {files.root.name}: its task is {files.card.task} and its network "
                     f"{there}, the configuration says {settings.task} and {settings.network_definition}")


def _definitions(settings: TrainingSettings) -> Iterator[tuple[str, dict[str, Any]]]:
    """What may begin, by its name in the network: all of it, and the part that works on half the grid."""
    yield "", settings.network_definition
    if isinstance(settings.network, CoarseToFine):
        channels = len(settings.recipe.channels), settings.output.channels, settings.dimensions
        yield "coarse", settings.network.coarse.definition(*channels)
