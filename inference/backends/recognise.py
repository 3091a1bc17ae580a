"""What kind of model lies at a path, and which of its words mean what in a task: for who adds a model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from inference.backends.bundle_files import METADATA
from inference.backends.json_file import json_object
from inference.backends.nnunet_folder import DATASET, PLANS
from inference.errors import BundleBroken
from inference.tasks.card import TaskCard

KINDS = ("bundle", "nnunet", "zoo", "torchscript", "exported")

# How makers of models call the inputs and structures of our tasks, in small letters and digits alone.
WORDS = {
    "T1": ("t1", "t1n", "t1w"),
    "T1ce": ("t1ce", "t1c", "t1gd", "t1post"),
    "T2": ("t2", "t2w"),
    "FLAIR": ("flair", "t2f", "t2flair"),
    "CT": ("ct", "image"),
    "Necrotic core": ("necroticcore", "ncr", "necrosis", "necrotictumorcore", "nonenhancingtumorcore", "tumorcore",
                      "tumourcore", "tc", "nonenhancingtumor", "nonenhancingtumour", "netc"),
    "Oedema": ("oedema", "edema", "ed", "peritumoraledema", "snfh",
               "wholetumor", "wholetumour", "wt"),  # what a whole tumour leaves around its core
    "Enhancing tumour": ("enhancingtumour", "enhancingtumor", "enhancing", "enhancingtissue", "et"),
    "Liver": ("liver",),
    "Liver tumour": ("livertumour", "livertumor", "tumour", "tumor", "lesion", "liverlesion", "liverlesions", "cancer"),
    "Nodule": ("nodule", "nodules", "lungnodule", "lungnodules"),
}


def recognised(path: Path) -> tuple[str, Path]:
    """The kind of a model, and the folder or file that it really is; BundleBroken where it is none that is known."""
    if path.is_file():
        kind = {".pt2": "exported", ".ts": "torchscript", ".pt": "torchscript", ".jit": "torchscript"}.get(path.suffix)
        if kind is None:
            raise BundleBroken(f"{path.name} ends in none of .ts, .pt, .jit (TorchScript) and .pt2 (torch.export); "
                               "say its kind.")
        return kind, path
    if (path / METADATA).is_file():
        return ("bundle" if "segnode" in json_object(path, METADATA) else "zoo"), path
    if _trained(path):  # whatever its cross-validation left in it
        return "nnunet", path
    trained = [folder for folder in sorted(path.glob("*")) if _trained(folder)]
    if len(trained) == 1:
        return "nnunet", trained[0]
    if trained:
        there = ", ".join(folder.name for folder in trained)
        raise BundleBroken(f"{path} holds several nnU-Net models; name one of {there}.")
    raise BundleBroken(f"{path} is no model that is known: neither a bundle ({METADATA}) nor an nnU-Net folder "
                       f"({PLANS}, {DATASET}) nor a file.")


def _trained(folder: Path) -> bool:
    return (folder / PLANS).is_file() and (folder / DATASET).is_file()


def proposed_inputs(channels: Iterable[str], card: TaskCard) -> dict[str, str]:
    """The role of each channel whose name is understood."""
    return _alike(channels, [role.name for role in card.roles])


def proposed_outputs(finds: Iterable[str], card: TaskCard) -> dict[str, str]:
    """The structure of each finding whose name is understood."""
    return _alike(finds, [structure.name for structure in card.structures])


def _alike(words: Iterable[str], meanings: Iterable[str]) -> dict[str, str]:
    known = {word: meaning for meaning in meanings for word in WORDS.get(meaning, (_plain(meaning),))}
    return {word: known[_plain(word)] for word in words if _plain(word) in known}


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.casefold())
