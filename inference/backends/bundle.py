"""A network from a MONAI bundle folder; torch is loaded by `load`, in the worker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from inference.backends.base import BackendSettings, Flips, Report, Segmented, Target, Turn, at_once
from inference.backends.bundle_files import SHIPPED, WEIGHTS, BundleCard, BundleFiles, read_bundle
from inference.backends.by_recipe import Plan, segment_by_recipe
from inference.engine import Engine, engaged, of_torch
from inference.errors import BundleBroken, ModelError
from inference.findings import ModelIdentity
from inference.networks.registry import KINDS
from inference.precision import Precision
from inference.tasks.card import TaskCard
from inference.volume import Volume

if TYPE_CHECKING:
    import torch
    from torch import nn

IN_A_PROGRAM = ("site-packages", "inference", "bundles")  # a program's folder of bundles, as pip installs it
NETWORKS = "inference.networks."  # the only code that a bundle may name


class Bundle(BackendSettings):
    """The bundle in the folder `path`; every file must be as its list of hashes says.

    The network also looks at its input run backwards along the axes of `flips`, one by one and together: 2 ** n passes,
    whose probabilities are averaged. z runs from the feet, y from the front, x from the patient's right.
    """

    kind: Literal["bundle"] = "bundle"
    path: Path
    flips: Flips = frozenset()
    precision: Precision = "auto"
    engine: Engine = "torch"

    @field_validator("path")
    @classmethod
    def _shipped_with_this_program(cls, path: Path) -> Path:
        """A job names a shipped bundle by the folder of the program that queued it.

        That may be of another release, gone since, or on another machine: this program's bundle of that name runs it.
        """
        elsewhere = path.parts[-4:-1] == IN_A_PROGRAM and not path.exists()
        return SHIPPED / path.name if elsewhere else path

    def identity(self) -> ModelIdentity:
        return self._identity(read_bundle(self.path))

    def load(self, device: str) -> LoadedBundle:
        files = read_bundle(self.path)
        network = engaged(build_network(files).to(device), self.engine, device, self.precision)
        return LoadedBundle(files, network, device, self._identity(files), tuple(sorted(self.flips)), self.precision)

    def _identity(self, files: BundleFiles) -> ModelIdentity:
        """The bundle's, and another one where it is run with flips: the answer is another one."""
        if not self.flips:
            return files.identity
        run = f"{files.identity.sha256} flips {' '.join(sorted(self.flips))}"
        return replace(files.identity, sha256=hashlib.sha256(run.encode()).hexdigest())


@dataclass(frozen=True, eq=False)
class LoadedBundle:
    """A bundle's network on its device."""

    files: BundleFiles
    network: nn.Module
    device: str
    identity: ModelIdentity
    flips: tuple[str, ...] = ()
    precision: Precision = "auto"
    judged: bool = True

    def segment(self, inputs: Mapping[str, Volume], card: TaskCard, report: Report, turn: Turn = at_once) -> Segmented:
        self._check_task(card)
        return segment_by_recipe(self.network, inputs, self.plan.within(card), self.device, report, turn)

    def maps(self, inputs: Mapping[str, Volume], card: TaskCard, target: Target | None, report: Report,
             ) -> dict[str, NDArray[np.float16]]:
        from inference.explain.network_maps import gate_maps, grad_cam_map
        from inference.prepare import prepare

        report(0.0, "prepare")
        self._check_task(card)
        prepared, sliding = prepare(dict(inputs), self.files.card.recipe), self.plan.sliding(self.device)
        found, network = {}, of_torch(self.network)
        if target is not None:
            report(0.2, "Grad-CAM")
            found = grad_cam_map(network, prepared, self.files.card.output, target, sliding)
        return found | gate_maps(network, prepared, sliding,
                                 lambda done, step: report(0.4 + 0.55 * done, step))

    def _check_task(self, card: TaskCard) -> None:
        if card.name != self.files.card.task:
            raise ModelError(f"{self.identity.name} was made for {self.files.card.task}, not for {card.name}.")

    @property
    def plan(self) -> Plan:
        """How its network is run."""
        return replace(plan_of(self.files.card), precision=self.precision, flips=self.flips)


def plan_of(card: BundleCard) -> Plan:
    """How a bundle's network is run, as its card says."""
    return Plan(card.recipe, card.output, card.window, card.overlap)


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
    if target not in {known.target for known in KINDS.values()}:
        raise BundleBroken(f"Bundle {bundle} names the network {target!r}, which this version lacks.")
    found: type[nn.Module] = getattr(import_module(module), kind)
    return found


def _exact(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value
