"""A bundle's configuration, fitted to this host: its own steps stay, what reads and writes files goes.

The bundle itself is not touched: what is returned goes to MONAI as overrides of it. Beside files, that mends what
breaks unmodified bundles on a host: arguments that newer networks lack, device names, a seed set for all that runs,
data sets that keep images of studies.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from pydoc import locate
from typing import Any, Literal

from inference.errors import BundleBroken

FILES = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
# MONAI's datasets that keep what they have prepared, in memory or on the disk, for whoever asks for the same item again
_CACHING = ("CacheDataset", "CacheNTransDataset", "GDSDataset", "LMDBDataset", "PersistentDataset", "SmartCacheDataset")
_DEVICE = re.compile(r"\$\s*torch\.device\(.*\)\s*")


def config_file(root: Path, named: str = "") -> Path:
    """The bundle's configuration for inference; BundleBroken where there is none."""
    for name in (named,) if named else FILES:
        if (root / name).is_file():
            return root / name
    raise BundleBroken(f"Bundle {root.name} has no {named or ' or '.join(FILES)}.")


def reads_files_itself(config: dict[str, Any]) -> bool:
    """Whether what reads the images cannot be told from the rest, so that the bundle must be given files."""
    transforms = _steps(config, "preprocessing")
    return not any(_loads(step) for step in transforms)


def channel_comes_first(config: dict[str, Any]) -> bool:
    """Whether the bundle's steps count on a channel axis that reading would have added."""
    return any(_loads(step) and step.get("ensure_channel_first") is True for step in _steps(config, "preprocessing"))


def activation(config: dict[str, Any]) -> Literal["sigmoid", "softmax", None]:
    """What the bundle makes probabilities of its network's answer by; None where its steps do not say."""
    for step in _steps(config, "postprocessing"):
        if str(step.get("_target_")).rpartition(".")[2] in ("Activationsd", "ActivationsD", "ActivationsDict"):
            return "softmax" if step.get("softmax") is True else "sigmoid" if step.get("sigmoid") is True else None
    return None


def fitted(config: dict[str, Any], root: Path, device: str, output: Path, *, in_memory: bool) -> dict[str, Any]:
    """The configuration for this host, `dataset#data` left to be filled; results may be written below `output`."""
    config = deepcopy(config)
    config |= {"bundle_root": str(root), "device": f"$torch.device('{device}')", "output_dir": str(output)}
    for part in _parts(config):
        _mend(part)
    if in_memory:
        for step in (*_steps(config, "preprocessing"), *_steps(config, "postprocessing")):
            if _loads(step) or "SaveImage" in str(step.get("_target_")):
                step["_disabled_"] = True
    if not isinstance(config.get("dataset"), dict) or not isinstance(config.get("evaluator"), dict):
        raise BundleBroken(f"Bundle {root.name} has no dataset and evaluator in its configuration.")
    _keep_nothing(config["dataset"])
    config["dataset"]["data"] = [None]
    if isinstance(config.get("dataloader"), dict):
        config["dataloader"]["num_workers"] = 0  # a worker process may not have children
    if "amp" in config["evaluator"]:
        config["evaluator"]["amp"] = False  # the host chooses the precision, at the network
    if isinstance(config.get("initialize"), list):
        config["initialize"] = [step for step in config["initialize"] if "set_determinism" not in str(step)]
    _only_known_arguments(config)
    return config


def _mend(part: dict[str, Any]) -> None:
    """What one dictionary of the configuration needs, wherever it lies."""
    if "CropForeground" in str(part.get("_target_")):
        part.setdefault("allow_smaller", True)  # the default of the MONAI that bundles were made with
    for key, value in list(part.items()):
        if isinstance(value, str) and _DEVICE.fullmatch(value) and "_target_" in part:
            part[key] = "@device"


def _keep_nothing(dataset: dict[str, Any]) -> None:
    """Make a plain dataset of one that caches: it would show the next study the images of the one before."""
    if str(dataset.get("_target_")).rpartition(".")[2] in _CACHING:
        kept = {key: dataset[key] for key in ("transform", "_requires_") if key in dataset}
        dataset.clear()
        dataset.update(_target_="monai.data.Dataset", **kept)


def _only_known_arguments(config: dict[str, Any]) -> None:
    """Take from `network_def` what its class does not know (SwinUNETR lost `img_size` with MONAI 1.5)."""
    from monai.bundle.config_item import ComponentLocator, ConfigComponent

    network = config.get("network_def")
    if not isinstance(network, dict):
        return
    named = ConfigComponent(config=network, id="network_def", locator=ComponentLocator()).resolve_module_name()
    made = locate(str(named))
    if made is None:
        return
    known = inspect.signature(made).parameters  # type: ignore[arg-type]
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in known.values()):
        return
    for name in [name for name in network if not name.startswith("_") and name not in known]:
        del network[name]


def _steps(config: dict[str, Any], section: str) -> list[dict[str, Any]]:
    """The transforms of a section where they are written out; none where they are computed."""
    chain = config.get(section)
    transforms = chain.get("transforms") if isinstance(chain, dict) else None
    return [step for step in transforms if isinstance(step, dict)] if isinstance(transforms, list) else []


def _loads(step: dict[str, Any]) -> bool:
    return "LoadImage" in str(step.get("_target_"))


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a configuration."""
    if isinstance(node, dict):
        yield node
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for value in inner:
        yield from _parts(value)
