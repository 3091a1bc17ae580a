"""A trained network as a bundle: configuration, float16 weights, model card, hashes."""

from __future__ import annotations

import json
import shutil
import tempfile
from glob import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from inference.backends.bundle_files import INFERENCE, METADATA, WEIGHTS, BundleCard, write_hashes
from inference.errors import ModelError
from inference.findings import IntendedUse
from inference.tasks import TASKS
from inference.training.config import TrainingSettings
from inference.training.loop import Best
from inference.training.material import Material

MANUFACTURER = "Segnode"
STEPS = "inference.backends.monai_steps"
LICENCE = """SPDX-License-Identifier: Apache-2.0

The weights and the configuration in this folder may be used under the Apache License, Version 2.0:
https://www.apache.org/licenses/LICENSE-2.0
"""
SYNTHETIC = ("Trained on synthetic cases only. For demonstration: it has never seen a patient and must not be used for "
             "one.")
RESEARCH = "Trained on a published data set. For research: nobody has cleared it for the care of patients."

BOOTSTRAPPED = ("Trained on scans of patients with procedural lesions drawn into them. For research: it has never been "
                "shown a lesion as such that was real, and nobody has cleared it for the care of patients.")


def export(settings: TrainingSettings, network: torch.nn.Module, best: Best, folder: Path, material: Material) -> None:
    """Write the bundle of a trained network into `folder`: all of it, or nothing; `material` is what it learnt from.

    A bundle that is there stays until the new one is whole; what else lies in it stays beside the new one's files.
    One process at a time writes to a folder. ModelError as of `check_place`.
    """
    check_place(folder)
    metadata, card = _metadata(settings, best, material), _model_card(settings, best, material)
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".writing-{folder.name}-", dir=folder.parent))
    whole = beside / "whole"
    if folder.exists():
        shutil.copytree(folder, whole, symlinks=True)
    for name in ("configs", "models", "docs"):
        (whole / name).mkdir(parents=True, exist_ok=True)
    _write_json(whole / METADATA, metadata)
    _write_json(whole / INFERENCE, engine_configuration(settings))
    torch.save(half_weights(network), whole / WEIGHTS)
    (whole / "docs" / "README.md").write_text(card)
    (whole / "LICENSE").write_text(LICENCE)
    write_hashes(whole)
    if folder.exists():
        folder.rename(beside / "before")
    whole.rename(folder)
    for left in folder.parent.glob(f".writing-{escape(folder.name)}-????????"):  # ours, and those of killed processes
        shutil.rmtree(left)


def check_place(folder: Path) -> None:
    """ModelError where a bundle cannot be written to `folder`, since it is a file or holds something else."""
    if folder.is_dir() and ((folder / METADATA).is_file() or not any(folder.iterdir())):
        return
    if folder.exists():
        raise ModelError(f"{folder} holds other things than a bundle: name a folder that is empty or not there yet.")


def half_weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """State dict with the large tensors in float16; norms and their statistics stay exact."""
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    return {name: value.half() if value.is_floating_point() and value.dim() > 1 else value.clone()
            for name, value in state.items()}


def _metadata(settings: TrainingSettings, best: Best, material: Material) -> dict[str, Any]:
    use = IntendedUse.DEMONSTRATION if settings.synthetic else IntendedUse.RESEARCH
    card = BundleCard(task=settings.task, recipe=settings.recipe, output=settings.output, window=settings.window,
                      overlap=settings.overlap, manufacturer=MANUFACTURER, intended_use=use)
    packages = {name: version(name) for name in ("monai", "torch", "numpy")}
    return {
        "version": settings.version,
        "changelog": {settings.version: f"trained on {material.origin}{_start(settings)}"},
        "monai_version": packages["monai"],
        "pytorch_version": packages["torch"],
        "numpy_version": packages["numpy"],
        "required_packages_version": {"segnode": version("segnode")},
        "name": settings.title,
        "task": TASKS[settings.task].title,
        "description": notice(settings),
        "authors": MANUFACTURER,
        "copyright": "Apache License 2.0",
        "data_source": material.origin,
        "data_type": "synthetic" if settings.synthetic else "research data set",
        "data_split": material.split,
        "intended_use": notice(settings),
        "eval_metrics": {f"Dice of {name}, validation": round(value, 4) for name, value in (best.dice or {}).items()},
        "network_data_format": _data_format(settings),
        "segnode": card.model_dump(mode="json"),
    }


def _data_format(settings: TrainingSettings) -> dict[str, Any]:
    common = {"spatial_shape": [f"{settings.network.divisor}*n"] * settings.dimensions, "dtype": "float32",
              "is_patch_data": True}
    inputs = {f"{n}": f"{channel.role}, {channel.scale}" for n, channel in enumerate(settings.recipe.channels)}
    outputs = {f"{n}": region.name for n, region in settings.output.foreground()}
    if settings.output.activation == "softmax":
        outputs = {"0": "background", **outputs}
    return {
        "inputs": {"image": {"type": "image", "format": "magnitude", "modality": "n/a", "num_channels": len(inputs),
                             "value_range": [-5, 5], "channel_def": inputs, **common}},
        "outputs": {"pred": {"type": "image", "format": "segmentation", "num_channels": len(outputs),
                             "value_range": [0, 1], "channel_def": outputs, **common}},
    }


def engine_configuration(settings: TrainingSettings) -> dict[str, Any]:
    """The content of inference.json: what MONAI's engine runs; the node needs `network_def` alone."""
    return {
        "imports": ["$import torch", "$from inference.backends import monai_steps"],
        "bundle_root": ".",
        "dataset_dir": "images",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "network_def": settings.network_definition,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": f"{STEPS}.Show", "bundle_root": "@bundle_root"},
        "dataset": {"_target_": "Dataset", "data": "$monai_steps.cases(@dataset_dir)", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "shuffle": False,
                       "num_workers": 0},
        "inferer": {"_target_": f"{STEPS}.Slide", "show": "@preprocessing"},
        "postprocessing": {"_target_": f"{STEPS}.Answer", "show": "@preprocessing", "output_dir": "@output_dir"},
        "handlers": [{"_target_": "CheckpointLoader", "load_path": f"$@bundle_root + '/{WEIGHTS}'",
                      "load_dict": {"model": "@network"}}],
        "evaluator": {"_target_": "SupervisedEvaluator", "device": "@device", "val_data_loader": "@dataloader",
                      "network": "@network", "inferer": "@inferer", "postprocessing": "@postprocessing",
                      "val_handlers": "@handlers"},
        "run": ["$@evaluator.run()"],
    }


def _model_card(settings: TrainingSettings, best: Best, material: Material) -> str:
    scores = "\n".join(f"| {name} | {value:.3f} |" for name, value in (best.dice or {}).items())
    channels = "\n".join(
        f"- {channel.role}: " + (f"{channel.low:g} to {channel.high:g} as 0 to 1" if channel.scale == "window"
                                 else "z-score inside the region" if channel.scale == "zscore" else "as it is")
        for channel in settings.recipe.channels)
    spacing = " × ".join(f"{step:g}" for step in settings.recipe.spacing_mm)
    kind = settings.network_definition["_target_"].rpartition(".")[2]
    warning = "These numbers say that the chain works. They say nothing about patients.\n\n"
    use = ("Demonstration and commissioning of a DICOM node" if settings.synthetic else
           "Research; whoever uses it for more has to show that it is fit for that, on data of his own site")
    chosen = ("Its thresholds were" if not settings.steps else "The best of its states was" if settings.keep == "best"
              else "Its last state was kept, whether or not it was the best; its thresholds were")
    return f"""# {settings.title}

Version {settings.version}. **{notice(settings)}**

## What it does
{TASKS[settings.task].title}: {kind} in {settings.dimensions} dimensions, run over windows of
{' × '.join(map(str, settings.window))} voxels of {spacing} mm (z, y, x), axes nearest to LPS axial.

Channels:
{channels}

## What it learned from
{material.origin[0].upper()}{material.origin[1:]}. {chosen} chosen by cases that it did not learn
from, after {best.step} steps{_start(settings)}:

| Region | Dice on those cases |
|---|---|
{scores}

{_given(settings)}{warning if settings.synthetic else ""}## Intended use
{use}. Not a medical device; not for diagnosis.
"""


def notice(settings: TrainingSettings) -> str:
    """What everybody who gets a result must know."""
    if settings.synthetic:
        return SYNTHETIC
    return BOOTSTRAPPED if settings.data and settings.data.kind == "organs" else RESEARCH


def _given(settings: TrainingSettings) -> str:
    """What its thresholds gave away."""
    given = "; ".join(f"{name}, {dice:g}" for name, dice in settings.given_for_recall.items())
    return f"Dice that was given there for a lower threshold, so that less is missed: {given}.\n\n" if given else ""


def _start(settings: TrainingSettings) -> str:
    """What it went on from, and what that had learnt from."""
    bundles = [f"{path.name}{f' for {part}' if part else ''} ({_learnt(path)})"
               for part, path in settings.start.items()]
    return f", going on from the weights of {' and '.join(bundles)}" if bundles else ""


def _learnt(bundle: Path) -> str:
    told = json.loads((bundle / METADATA).read_text()).get("changelog", {})
    return "; ".join(f"{number}: {text}" for number, text in told.items()) or "nothing told"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
