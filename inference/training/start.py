"""Where the weights of a run begin that goes on from bundles."""

from __future__ import annotations

from torch import nn

from inference.backends.bundle import build_network
from inference.backends.bundle_files import BundleFiles, read_bundle
from inference.errors import ModelError
from inference.networks.registry import alone, complete
from inference.training.config import TrainingSettings


def begin(network: nn.Module, settings: TrainingSettings) -> None:
    """Give a network the weights of the bundles that `start` names, each its part; ModelError where one does not fit.

    Both the run's network and the bundle's may be made of parts: what fits may be all of either, or one of its parts.
    """
    for name, path in settings.start.items():
        files = read_bundle(path)
        fitting = _fitting(name, files, settings)
        if fitting is None:
            of = f"its {name} part" if name else "its network"
            raise ModelError(f"training cannot start from {files.root.name}: its task is {files.card.task} and its "
                             f"network {complete(files.network)}; {of} is none of {settings.task} and "
                             f"{settings.network_definition}")
        part, source = fitting
        weights = build_network(files).get_submodule(source).state_dict()
        network.get_submodule(part).load_state_dict(weights)


def _fitting(name: str, files: BundleFiles, settings: TrainingSettings) -> tuple[str, str] | None:
    """The part of the run's network, `name` where that is given, and the bundle's that is the same network."""
    if files.card.task != settings.task:
        return None
    offered = alone(files.network)
    for part, definition in alone(settings.network_definition).items():
        for source in sorted(offered, key=lambda source: source != part):  # one of the same name first
            if name in ("", part) and offered[source] == definition:
                return part, source
    return None
