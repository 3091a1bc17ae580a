"""One call leads from a configuration file to a bundle that runs."""

import numpy as np
from ruamel.yaml import YAML

from inference.backends import build
from inference.evaluation.metrics import dice
from inference.tasks import TASKS
from inference.training import cases
from inference.training.run import train


def test_a_trained_bundle_finds_what_it_never_saw(balls, settings, cache, tmp_path):
    YAML(typ="safe").dump(settings().model_dump(mode="json"), tmp_path / "balls.yaml")
    folder = train(tmp_path / "balls.yaml", tmp_path / "bundle", cache, workers=1)
    unseen = cases.make_case("lung_nodule", 6)
    loaded = build({"kind": "bundle", "path": str(folder)}).load("cpu")
    found = loaded.segment(unseen.volumes, TASKS["lung_nodule"], lambda *_: None).labels
    assert dice(found > 0, np.asarray(unseen.truth) > 0) > 0.8
