"""A training that is killed and started again ends as if nothing had been: the same weights, the same curves."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from leashed_training import die_saving, train_apart
from ruamel.yaml import YAML

from inference.backends.bundle_files import WEIGHTS
from inference.training import checkpoint
from inference.training.history import Judged, read_curves
from inference.training.material import gather
from inference.training.run import CURVES

CHANGES = {
    "steps": 8, "validate_every": 2, "mined_cases": 1, "hard_share": 0.5,
    "network": {"widths": [4, 8], "transformer_layers": 1, "heads": 2, "dropout": 0.3},
}  # fmt: skip


@pytest.fixture
def configuration(balls, settings, cache: Path, tmp_path: Path) -> Path:
    """A configuration whose cases lie in the cache, where another process finds them."""
    gather(settings(**CHANGES), cache, workers=1)
    YAML(typ="safe").dump(settings(**CHANGES).model_dump(mode="json"), tmp_path / "balls.yaml")
    return tmp_path / "balls.yaml"


def sha256(weights: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def ended(bundle: Path, cache: Path) -> tuple[str, str, list[Judged]]:
    """SHA-256 of the bundle's weights and of those after the last step, and the curves; takes the checkpoint away."""
    (kept,) = cache.glob("*.pt")
    last = torch.load(kept, weights_only=True)
    kept.unlink()
    shipped = hashlib.sha256((bundle / WEIGHTS).read_bytes()).hexdigest()
    return shipped, sha256(last["network"]), read_curves(bundle.with_name(f"{bundle.name}-curves") / CURVES)


def test_a_killed_training_goes_on_to_the_same_end(configuration: Path, cache: Path, tmp_path: Path) -> None:
    assert train_apart(configuration, tmp_path / "whole", cache) == [1, 2, 3, 4, 5, 6, 7, 8]
    whole = ended(tmp_path / "whole", cache)
    assert [point.step for point in whole[2]] == [2, 4, 6, 8]
    killed = tmp_path / "killed"
    assert train_apart(configuration, killed, cache, kill_at=1) == [1]
    assert list(cache.glob("*.pt")) == []
    assert train_apart(configuration, killed, cache, kill_at=3) == [1, 2, 3]  # nothing was kept: from the start
    assert train_apart(configuration, killed, cache, kill_at=5) == [3, 4, 5]
    assert not killed.exists()
    assert train_apart(configuration, killed, cache) == [5, 6, 7, 8]
    assert ended(killed, cache) == whole


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    checkpoint.save(path, {"step": 1})
    die_saving(path)
    assert len(list(tmp_path.iterdir())) == 2  # what was being written lies beside it
    assert checkpoint.load(path)["step"] == 1
    checkpoint.save(path, {"step": 3})
    assert list(tmp_path.iterdir()) == [path]
    assert checkpoint.load(path)["step"] == 3
