"""Where the weights of a run begin that goes on from bundles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from inference.backends.bundle import build_network
from inference.backends.bundle_files import BundleFiles, read_bundle
from inference.errors import ModelError
from inference.networks.registry import OfParts, complete
from inference.training.config import TrainingSettings


def begin(network: nn.Module, settings: TrainingSettings) -> None:
    """Give a network the weights of the bundles that `start` names, each its part; ModelError where one does not fit.

    A bundle for the whole may be one of a part alone. A bundle for a part may be the part alone, or a whole.
    """
    for name, path in settings.starts.items():
        files = read_bundle(path)
        if files.card.task != settings.task or not _given(network, name, files, settings):
            of = f"its {name} part" if name else "its network"
            raise ModelError(f"training cannot start from {files.root.name}: its task is {files.card.task} and its "
                             f"network {complete(files.network)}; {of} is none of {settings.task} and "
                             f"{settings.network_definition}")


def _given(network: nn.Module, name: str, files: BundleFiles, settings: TrainingSettings) -> bool:
    """Whether the bundle's weights have been given to the part of this name, or to the first that they fit."""
    there = complete(files.network)
    for part, definition in _definitions(settings):
        if name in ("", part) and there == definition:
            network.get_submodule(part).load_state_dict(build_network(files).state_dict())
            return True
        if name == part and there == settings.network_definition:
            network.get_submodule(part).load_state_dict(build_network(files).get_submodule(part).state_dict())
            return True
    return False


def _definitions(settings: TrainingSettings) -> Iterator[tuple[str, dict[str, Any]]]:
    """What may begin, by its name in the network: all of it, and the parts that may be trained alone."""
    yield "", settings.network_definition
    if isinstance(settings.network, OfParts):
        channels = len(settings.recipe.channels), settings.output.channels, settings.dimensions
        for name in settings.network.whole_parts:
            yield name, settings.network.parts[name].definition(*channels)
