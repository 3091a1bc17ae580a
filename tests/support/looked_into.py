"""A held study whose result a small untrained network made, so that the network can be looked into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from reviewing import FOUND, Scene, liver_scene

from dicom_node.assembly import Parts
from inference.backends.bundle import Bundle
from inference.training.config import TrainingSettings
from inference.training.export import export
from inference.training.loop import Best
from inference.training.material import Material

FINDINGS = [{"label": "Liver", "voxels": 1000}, {"label": "Liver tumour 1", "voxels": 18},
            {"label": "Liver tumour 2", "voxels": 18}, {"label": "Liver tumour 3", "voxels": 19}]  # fmt: skip


def tiny_bundle(folder: Path) -> Bundle:
    """An untrained bundle for livers, with one attention gate."""
    settings = TrainingSettings.model_validate({
        "task": "liver_tumour", "title": "Tiny", "version": "1",
        "recipe": {"primary": "CT", "channels": [{"role": "CT", "scale": "window", "low": -100, "high": 100}],
                   "spacing_mm": [2, 1.5, 1.5]},
        "output": {"activation": "sigmoid", "regions": [
            {"name": "liver", "label": 1, "members": [1, 2]}, {"name": "tumour", "label": 2, "members": [2]}]},
        "network": {"widths": [4, 8], "transformer_layers": 1, "heads": 2},
        "cases": {"first_seed": 1, "count": 1, "validation_first_seed": 2, "validation_count": 1},
        "patch": [8, 8, 8], "window": [8, 8, 8],
    })  # fmt: skip
    torch.manual_seed(0)
    export(settings, settings.network.build(1, 2), Best(), folder, Material([], [], "nothing"))
    return Bundle(path=folder)


def looked_into(parts: Parts, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Scene:
    """The oblique CT of `reviewing`, with a job of that bundle that found FOUND; keywords change the job."""
    settings = tiny_bundle(folder / "tiny")
    monkeypatch.setattr("reviewing.MODEL", settings.identity())
    scene = liver_scene(parts.database, parts.archive, folder)
    job: dict[str, Any] = {
        "model": "tiny", "parameters": {"model": settings.model_dump(mode="json"), "destinations": [], "outputs": []},
        "summary": {"findings": FINDINGS},
    }  # fmt: skip
    scene.finish(changes.pop("labels", FOUND), **(job | changes))
    return scene
