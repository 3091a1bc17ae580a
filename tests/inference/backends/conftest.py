"""A small untrained bundle, and a CT to run it on."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.backends.bundle_files import HASHES, write_hashes
from inference.training.config import TrainingSettings
from inference.training.export import export
from inference.training.loop import Best
from inference.training.material import Material
from inference.volume import Grid, Spacing, Volume, regular_affine


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks of a few hundred weights lose more by sharing their work than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def settings() -> TrainingSettings:
    return TrainingSettings.model_validate({
        "task": "lung_nodule", "title": "Tiny", "version": "1.2.3",
        "recipe": {"primary": "CT", "channels": [{"role": "CT", "scale": "window", "low": -1000, "high": 400}],
                   "spacing_mm": [4, 4, 4]},
        "output": {"activation": "sigmoid", "regions": [{"name": "nodule", "label": 1, "members": [1]}]},
        "network": {"widths": [4, 8], "transformer_layers": 1, "heads": 2},
        "cases": {"first_seed": 1, "count": 1, "validation_first_seed": 2, "validation_count": 1},
        "patch": [8, 8, 8], "window": [16, 16, 16],
    })


@pytest.fixture
def network(settings) -> torch.nn.Module:
    torch.manual_seed(0)
    return settings.network.build(1, 1)


@pytest.fixture
def bundle(settings, network, tmp_path) -> Path:
    """The folder of a bundle whose network was never trained."""
    folder = tmp_path / "tiny"
    export(settings, network, Best(), folder, Material([], [], "nothing"))
    return folder


@pytest.fixture
def rewrite(bundle) -> Callable[..., None]:
    """Changes a JSON file of the bundle and, unless told otherwise, records its new hash."""

    def change(name: str, edit: Callable[[dict], None], *, record: bool = True) -> None:
        content = json.loads((bundle / name).read_text())
        edit(content)
        (bundle / name).write_text(json.dumps(content))
        if record and name != HASHES:
            write_hashes(bundle)

    return change


@pytest.fixture
def ct() -> Volume:
    rng = np.random.default_rng(0)
    grid = Grid((20, 30, 34), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3, 2, 2)))
    return Volume(rng.normal(-500, 300, grid.shape).astype(np.float32), grid, "HU")
