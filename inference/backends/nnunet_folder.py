"""An nnU-Net v2 model folder (plans.json, dataset.json, fold_k/checkpoint_final.pth) and the network in it.

The network is built from the plans, as data: neither the trainer that the checkpoint names is imported (it may be of
another house and not importable here) nor is anything un-pickled but weights and numpy's numbers.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from pydoc import ErrorDuringImport, locate
from typing import TYPE_CHECKING, Any

from inference.backends.json_file import json_object
from inference.errors import BundleBroken, ModelError

if TYPE_CHECKING:
    from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
    from torch import nn

PLANS, DATASET = "plans.json", "dataset.json"
NETWORKS = "dynamic_network_architectures."  # the only code that plans may name, beside torch's own layers
INSTALL = "nnU-Net models need the package nnunetv2: pip install 'segnode[nnunet]'."


@dataclass(frozen=True)
class ModelFolder:
    """What plans.json and dataset.json say."""

    path: Path
    plans: dict[str, Any]
    dataset: dict[str, Any]

    @property
    def channels(self) -> tuple[str, ...]:
        """Input channels by name, in the network's order; those of one name with their number behind it.

        The name of a channel chose its normalisation, so that several may well have the same.
        """
        named = self.dataset.get("channel_names") or self.dataset.get("modality") or {}
        often = Counter(map(str, named.values()))
        return tuple(f"{named[number]} {number}" if often[str(named[number])] > 1 else str(named[number])
                     for number in sorted(named, key=int))

    @property
    def regions(self) -> bool:
        """Whether the network answers for nested regions (a sigmoid each) instead of labels (one softmax)."""
        return any(isinstance(value, list) and len(value) > 1 for value in self.dataset["labels"].values())

    @property
    def finds(self) -> tuple[str, ...]:
        """What the network's channels stand for, in their order, background left out."""
        labels = {name: value for name, value in self.dataset["labels"].items() if name != "ignore"}
        if self.regions:
            return tuple(name for name, value in labels.items() if value not in (0, [0]))
        numbers = {name: int(_single(value)) for name, value in labels.items()}  # some write them as text
        return tuple(sorted(filter(numbers.get, numbers), key=numbers.__getitem__))

    @property
    def folds(self) -> tuple[str, ...]:
        """Every fold that is there: "0".."4", "all"."""
        return tuple(sorted(folder.name.removeprefix("fold_") for folder in self.path.glob("fold_*")))


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """One fold's weights, and what the trainer wrote beside them."""

    weights: dict[str, Any]
    configuration: str
    trainer: str
    mirror_axes: tuple[int, ...] | None


def read_folder(path: Path) -> ModelFolder:
    """The model in a folder, read as data; BundleBroken says which file is missing or not understood."""
    plans, dataset = json_object(path, PLANS), json_object(path, DATASET)
    if not (isinstance(dataset.get("labels"), dict) and isinstance(plans.get("configurations"), dict)):
        raise BundleBroken(f"{path.name} is no nnU-Net v2 model: labels or configurations are missing.")
    folder = ModelFolder(path, plans, dataset)
    if not folder.channels or not folder.finds:
        raise BundleBroken(f"{DATASET} of {path.name} names no channel_names or no labels.")
    return folder


def read_checkpoint(path: Path) -> Checkpoint:
    """A fold's checkpoint, read without running code; BundleBroken where that cannot be."""
    import torch

    try:
        with torch.serialization.safe_globals(_numbers_of_numpy()):
            content = torch.load(path, map_location="cpu", weights_only=True)
        axes = content.get("inference_allowed_mirroring_axes")
        return Checkpoint(content["network_weights"], str(content["init_args"]["configuration"]),
                          str(content.get("trainer_name", "")), None if axes is None else tuple(map(int, axes)))
    except (OSError, RuntimeError, EOFError, UnpicklingError, KeyError, TypeError, AttributeError) as fault:
        raise BundleBroken(f"{path.parent.name}/{path.name} is no nnU-Net checkpoint that can be read as data: "
                           f"{type(fault).__name__}: {fault}") from fault


def managers(folder: ModelFolder, configuration: str) -> tuple[PlansManager, ConfigurationManager]:
    """nnU-Net's own view of the plans, old formats brought up to date; ModelError without the library."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints that folders for training are not set
            from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
    except ImportError as fault:
        raise ModelError(INSTALL) from fault
    plans = PlansManager(folder.plans)
    try:
        return plans, plans.get_configuration(configuration)
    except (RuntimeError, KeyError, ValueError) as fault:
        raise BundleBroken(f"The plans of {folder.path.name} have no usable configuration {configuration!r}: "
                           f"{fault}") from fault


def build_network(folder: ModelFolder, configuration: ConfigurationManager, checkpoint: Checkpoint,
                  heads: int) -> nn.Module:
    """The network of the plans with this checkpoint's weights; BundleBroken where they do not fit one another."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    kind, arguments = _moved(configuration.network_arch_class_name), configuration.network_arch_init_kwargs
    imported = configuration.network_arch_init_kwargs_req_import
    _only_layers(folder, kind, [arguments.get(name) for name in imported])
    try:
        network: nn.Module = get_network_from_plans(kind, arguments, imported, len(folder.channels), heads,
                                                    allow_init=False, deep_supervision=False)
        network.load_state_dict(checkpoint.weights)
    except (RuntimeError, TypeError, ValueError, KeyError, ImportError, AttributeError) as fault:
        raise BundleBroken(f"The weights of {folder.path.name} do not fit the network of its plans. Its trainer "
                           f"{checkpoint.trainer} may build another one, which is not run here: {fault}") from fault
    return network.eval()


def _moved(kind: str) -> str:
    """Where the library has a network now: of old plans nnU-Net gives residual ones a module that is no more."""
    now = f"{NETWORKS}architectures.unet.{kind.rpartition('.')[2]}"
    gone = kind.startswith(NETWORKS) and not _is_layer(kind, network=True)
    return now if gone and _is_layer(now, network=True) else kind


def _only_layers(folder: ModelFolder, kind: str, named: list[str | None]) -> None:
    """Plans name classes by their import path; only networks of nnU-Net and layers of torch are taken."""
    if foreign := [name for name in (kind, *named) if name and not _is_layer(name, network=name == kind)]:
        raise BundleBroken(f"The plans of {folder.path.name} name {', '.join(map(repr, foreign))}; only networks of "
                           "dynamic_network_architectures and layers of torch.nn are run.")


def _is_layer(name: str, *, network: bool) -> bool:
    """Whether a path leads to such a class; it may begin well and lead on through what a module imports."""
    from torch import nn

    homes = (NETWORKS,) if network else ("torch.nn.", NETWORKS)
    try:
        made = locate(name) if name.startswith(homes) else None
    except ErrorDuringImport:
        return False
    return isinstance(made, type) and issubclass(made, nn.Module) and made.__module__.startswith(homes)


def _numbers_of_numpy() -> list[Any]:
    """What a checkpoint's log of scores needs: numpy scalars and arrays, under their names of numpy 1 and 2."""
    import numpy as np

    makers: list[Any] = [np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]]
    functions = [(one, f"numpy.{core}.multiarray.{one.__name__}") for core in ("core", "_core") for one in makers]
    kinds = [type(np.dtype(kind)) for kind in "?bBhHiIlLqQefdg"]
    return [*functions, np.ndarray, np.dtype, *kinds]


def _single(value: Any) -> Any:
    """A label's number; a list of one is that one."""
    return value[0] if isinstance(value, list) else value
