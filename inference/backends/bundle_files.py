"""A bundle's folder: what must be in it, that nothing was changed, and what its section `segnode` says.

The layout is MONAI's bundle format (configs/metadata.json, configs/inference.json, models/model.pt, docs/README.md)
with two additions: the section `segnode` in metadata.json, and configs/sha256.json over every other file that is a
part of the model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference.backends.json_file import json_object
from inference.backends.pins import sha256_of
from inference.errors import BundleBroken
from inference.findings import IntendedUse, ModelIdentity
from inference.recipe import Output, Recipe

METADATA = "configs/metadata.json"
INFERENCE = "configs/inference.json"
WEIGHTS = "models/model.pt"
HASHES = "configs/sha256.json"
SHIPPED = Path(__file__).resolve().parent.parent / "bundles"  # with this program
NO_PART = ("eval", "images")  # where MONAI's engine writes and reads unless told otherwise; no part of the model


class BundleCard(BaseModel):
    """The section `segnode` of metadata.json: how to prepare, run and read the network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    recipe: Recipe
    output: Output
    window: tuple[int, int, int]  # (z, y, x) in working voxels
    overlap: float = Field(ge=0, lt=1)
    manufacturer: str
    intended_use: IntendedUse
    clearance: str = ""


@dataclass(frozen=True)
class BundleFiles:
    """A bundle that was found whole and unchanged."""

    root: Path
    card: BundleCard
    network: dict[str, Any]  # `network_def` of inference.json
    identity: ModelIdentity


def read_bundle(root: Path) -> BundleFiles:
    """The bundle in this folder; BundleBroken says which file is missing, changed or not understood."""
    digest = _verified(root)
    metadata, inference = (json_object(root, name, f"bundle {root.name}") for name in (METADATA, INFERENCE))
    if "segnode" not in metadata:
        raise BundleBroken(f"Bundle {root.name} has no section 'segnode' in {METADATA}, which says how to prepare its "
                           "inputs; bundles that bring their own preprocessing are of kind zoo.")
    try:
        card = BundleCard.model_validate(metadata["segnode"])
        name, version = str(metadata["name"]), str(metadata["version"])
        network = dict(inference["network_def"])
    except (KeyError, TypeError, ValueError) as fault:
        reason = _problems(fault) if isinstance(fault, ValidationError) else f"{type(fault).__name__} {fault}"
        raise BundleBroken(f"Bundle {root.name} is not understood: {reason}") from fault
    identity = ModelIdentity(name, version, digest, card.manufacturer, card.intended_use, card.clearance)
    return BundleFiles(root, card, network, identity)


def write_hashes(root: Path) -> None:
    """Record every file of a bundle, so that a later change is noticed."""
    hashes = {name: sha256_of(root / name) for name in _files(root)}
    (root / HASHES).write_text(json.dumps(hashes, indent=2) + "\n")


def _verified(root: Path) -> str:
    """SHA-256 of the list of hashes, after every file was compared with it."""
    hashes = json_object(root, HASHES, f"bundle {root.name}")
    for required in (METADATA, INFERENCE, WEIGHTS):
        if required not in hashes:
            raise BundleBroken(f"Bundle {root.name} lists no {required} in {HASHES}.")
    for name in _files(root):
        if name not in hashes:
            raise BundleBroken(f"Bundle {root.name} contains {name}, which {HASHES} does not list.")
    for name, expected in hashes.items():
        path = root / name
        if not path.is_file():
            raise BundleBroken(f"Bundle {root.name} lacks {name}.")
        if sha256_of(path) != expected:
            raise BundleBroken(f"{name} of bundle {root.name} was changed: its SHA-256 is not the recorded one.")
    return sha256_of(root / HASHES)


def _files(root: Path) -> list[str]:
    found = (path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file())
    return [path.as_posix() for path in found
            if path.as_posix() != HASHES and path.parts[0] not in NO_PART and "__pycache__" not in path.parts]


def _problems(fault: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in fault.errors())
