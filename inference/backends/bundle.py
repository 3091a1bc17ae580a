"""A network from a MONAI bundle folder; torch is loaded by `load`, in the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Literal

from inference.backends.base import BackendSettings, Report, Segmented
from inference.backends.bundle_files import WEIGHTS, BundleFiles, read_bundle
from inference.backends.by_recipe import Plan, segment_by_recipe
from inference.errors import BundleBroken, ModelError
from inference.findings import ModelIdentity
from inference.precision import Precision
from inference.tasks.card import TaskCard
from inference.volume import Volume

if TYPE_CHECKING:
    import torch
    from torch import nn

NETWORKS = "inference.networks."  # the only code that a bundle may name


class Bundle(BackendSettings):
    """The bundle in the folder `path`; every file must be as its list of hashes says."""

    kind: Literal["bundle"] = "bundle"
    path: Path
    precision: Precision = "auto"

    def identity(self) -> ModelIdentity:
        return read_bundle(self.path).identity

    def load(self, device: str) -> LoadedBundle:
        files = read_bundle(self.path)
        return LoadedBundle(files, build_network(files).to(device), device, self.precision)


@dataclass(frozen=True, eq=False)
class LoadedBundle:
    """A bundle's network on its device."""

    files: BundleFiles
    network: nn.Module
    device: str
    precision: Precision = "auto"
    judged: bool = True

    @property
    def identity(self) -> ModelIdentity:
        return self.files.identity

    def segment(self, inputs: Mapping[str, Volume], card: TaskCard, report: Report) -> Segmented:
        if card.name != self.files.card.task:
            raise ModelError(f"{self.identity.name} was made for {self.files.card.task}, not for {card.name}.")
        how = self.files.card
        plan = Plan(how.recipe, how.output, how.window, how.overlap, precision=self.precision)
        return segment_by_recipe(self.network, inputs, plan, self.device, report)


def build_network(files: BundleFiles) -> nn.Module:
    """The network of `network_def` with its weights in float32, ready to run; BundleBroken where they do not fit."""
    import torch

    name = files.root.name
    arguments = {key: value for key, value in files.network.items() if key != "_target_"}
    try:
        network = _network_class(str(files.network.get("_target_", "")), name)(**arguments)
        state = torch.load(files.root / WEIGHTS, map_location="cpu", weights_only=True)
        network.load_state_dict({key: _exact(value) for key, value in state.items()})
    except (RuntimeError, ValueError, TypeError, AttributeError, OSError, EOFError, UnpicklingError) as fault:
        raise BundleBroken(f"The network of bundle {name} cannot be built: {fault}") from fault
    return network.eval()


def _network_class(target: str, bundle: str) -> type[nn.Module]:
    """The class that `_target_` names; a bundle may name networks of this program and no other code."""
    module, _, kind = target.rpartition(".")
    if not module.startswith(NETWORKS):
        raise BundleBroken(f"Bundle {bundle} names the network {target!r}; only those of this program are run.")
    try:
        found: type[nn.Module] = getattr(import_module(module), kind)
    except (ImportError, AttributeError) as fault:
        raise BundleBroken(f"Bundle {bundle} names the network {target!r}, which this version lacks.") from fault
    return found


def _exact(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value
