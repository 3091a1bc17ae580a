"""One call leads from a configuration file to a bundle that runs."""

import miniatures
import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from inference.backends import build
from inference.errors import ModelError
from inference.evaluation.metrics import dice
from inference.tasks import TASKS
from inference.training import cases
from inference.training.material import grouped
from inference.training.run import train


def test_a_trained_bundle_finds_what_it_never_saw(balls, settings, cache, tmp_path):
    YAML(typ="safe").dump(settings().model_dump(mode="json"), tmp_path / "balls.yaml")
    folder = train(tmp_path / "balls.yaml", tmp_path / "bundle", cache, workers=1)
    unseen = cases.make_case("lung_nodule", 6)
    loaded = build({"kind": "bundle", "path": str(folder)}).load("cpu")
    found = loaded.segment(unseen.volumes, TASKS["lung_nodule"], lambda *_: None).labels
    assert dice(found > 0, np.asarray(unseen.truth) > 0) > 0.8


def test_scans_without_a_marked_lesion_become_a_bundle_that_predicts(settings, cache, tmp_path):
    miniatures.write_data_set("organs", tmp_path / "scans", 4)
    regions = [{"name": "liver", "label": 1, "members": [1, 2]}, {"name": "liver tumour", "label": 2, "members": [2]}]
    content = settings(
        task="liver_tumour", cases=None, split={"file": "split.json"}, strict=True, steps=30, validate_every=15,
        recipe={"primary": "CT", "channels": [{"role": "CT", "scale": "window", "low": -200, "high": 300}],
                "spacing_mm": [2, 2, 2]},
        data={"kind": "organs", "task": "liver_tumour", "folder": "scans", "lesions": miniatures.SMALL_LESIONS},
        implants=miniatures.SMALL_LESIONS, output={"activation": "sigmoid", "regions": regions},
    ).model_dump(mode="json")  # fmt: skip
    YAML(typ="safe").dump(content, tmp_path / "run.yaml")
    folder = train(tmp_path / "run.yaml", tmp_path / "bundle", cache, workers=1)
    assert "procedural lesions drawn into" in (folder / "docs" / "README.md").read_text()
    model = build({"kind": "bundle", "path": str(folder)})
    assert model.identity().intended_use == "research"
    drawn = miniatures.draw(TASKS["liver_tumour"], 9)
    found = model.load("cpu").segment(drawn.volumes, TASKS["liver_tumour"], lambda *_: None).labels
    assert dice(found > 0, drawn.truth > 0) > 0.6


def test_a_case_that_can_be_read_again_is_learnt_from(settings, cache, tmp_path):
    """Its split is what it was, for the file is as large as it was; what was learnt without it is another run."""
    miniatures.write_data_set("lits", tmp_path / "LiTS", 8)
    run = settings(
        task="liver_tumour", cases=None, data={"kind": "lits", "folder": "LiTS"}, split={"file": "split.json"},
        steps=4, validate_every=4,
        output={"activation": "sigmoid", "regions": [{"name": "liver", "label": 1, "members": [1, 2]}]},
    )  # fmt: skip
    YAML(typ="safe").dump(run.model_dump(mode="json"), tmp_path / "run.yaml")
    damaged = grouped(run, tmp_path).training[0].images["CT"]
    whole = damaged.read_bytes()
    weights = []
    for content, counted in ((bytes(len(whole)), "5 cases to learn from"), (whole, "6 cases to learn from")):
        damaged.write_bytes(content)
        folder = train(tmp_path / "run.yaml", tmp_path / f"bundle {counted[0]}", cache, workers=1)
        assert counted in (folder / "docs" / "README.md").read_text()
        weights.append(torch.load(folder / "models" / "model.pt", weights_only=True))
    assert any(not torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_a_folder_that_the_bundle_cannot_go_to_is_said_before_the_training(balls, settings, cache, tmp_path):
    YAML(typ="safe").dump(settings().model_dump(mode="json"), tmp_path / "balls.yaml")
    with pytest.raises(ModelError, match="other things than a bundle"):
        train(tmp_path / "balls.yaml", tmp_path, cache, workers=1)
    assert balls == []
