"""A miniature LiTS and the configuration of a run over it that takes a second."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import miniatures
import pytest
from ruamel.yaml import YAML

CONTENT: dict[str, Any] = {
    "task": "liver_tumour", "title": "Balls", "version": "0.0.1",
    "data": {"kind": "lits", "folder": "LiTS"}, "split": {"file": "split.json"},
    "recipe": {"primary": "CT", "channels": [{"role": "CT", "scale": "window", "low": -200, "high": 400}],
               "spacing_mm": [3, 3, 3]},
    "output": {"activation": "sigmoid", "regions": [
        {"name": "liver", "label": 1, "members": [1, 2]}, {"name": "liver tumour", "label": 2, "members": [2]},
    ]},
    "dimensions": 2,
    "network": {"widths": [4, 8], "transformer_layers": 1, "heads": 2, "dropout": 0},
    "augment": {"deform_share": 0},
    "patch": [1, 8, 8], "window": [4, 8, 8], "batch": 2, "steps": 4, "validate_every": 2, "learning_rate": 0.01,
}  # fmt: skip


@pytest.fixture
def lits(tmp_path: Path) -> Path:
    """The folder with seven patients in LiTS."""
    miniatures.write_data_set("lits", tmp_path / "LiTS", 7)
    return tmp_path


@pytest.fixture
def configuration(lits: Path) -> Callable[..., Path]:
    """Writes run.yaml beside the data set; keywords change it."""

    def write(**changes: Any) -> Path:
        path = lits / "run.yaml"
        YAML().dump(CONTENT | changes, path)
        return path

    return write


@pytest.fixture
def pool(configuration: Callable[..., Path], lits: Path) -> Path:
    """An experiment over the tumours of the miniature LiTS and of a miniature BraTS: a network each, or one for both.

    On MR a tumour has three labels, on CT one.
    """
    configuration()
    miniatures.write_data_set("brats", lits / "BraTS", 7)

    def answer(*members: int) -> dict[str, Any]:
        region = {"name": "tumour", "label": members[0], "members": list(members)}
        return {"activation": "sigmoid", "regions": [region]}

    mr = {"task": "brain_tumour", "data": {"kind": "brats", "folder": "BraTS"}, "split": {"file": "mr.json"},
          "output": answer(1, 2, 3), "recipe": {"primary": "T1ce", "spacing_mm": [3, 3, 3],
                                                "channels": [{"role": "FLAIR", "scale": "zscore"}]}}
    path = lits / "pool.yaml"
    YAML().dump({
        "title": "Apart or together", "base": "run.yaml", "seeds": [0], "pool": {"MR": mr, "CT": {"output": answer(2)}},
        "variants": {"each": {"apart": True}, "both": {}, "both, longer": {"steps": 8}},
    }, path)  # fmt: skip
    return path
