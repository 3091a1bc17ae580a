"""Variants are trained and judged on the same cases; what is done is not done again."""

import json
from types import SimpleNamespace

import miniatures
import numpy as np
import pytest
from ruamel.yaml import YAML

from inference.evaluation.files import read_comparison
from inference.experiments import compare as module
from inference.experiments.compare import compare
from inference.experiments.judge import Unseen, unseen
from inference.training.config import load_settings
from inference.training.datasets.base import Mark
from inference.training.datasets.luna16 import Luna16
from inference.training.datasets.prepared import prepared_case


@pytest.fixture
def experiment(configuration, lits):
    configuration()
    path = lits / "experiment.yaml"
    YAML().dump({
        "title": "Two networks", "base": "run.yaml", "seeds": [0, 1],
        "variants": {"hybrid": {}, "U-Net": {"network": {"kind": "unet", "widths": [4, 8]}}},
    }, path)  # fmt: skip
    return path


def test_the_table_tells_of_every_variant_on_the_cases_that_none_has_seen(experiment, lits):
    table, data, page = compare(experiment, lits / "out", lits / "cache", workers=1)
    report = read_comparison(data)
    assert [(model.name, model.seeds, model.cases) for model in report.models] == [("hybrid", 2, 1), ("U-Net", 2, 1)]
    sizes = {model.name: model.parameters for model in report.models}
    assert sizes["hybrid"] > sizes["U-Net"] > 0
    assert all(model.seconds_per_step > 0 for model in report.models)
    assert report.regions == ("liver", "liver tumour")
    assert report.row("U-Net", "liver", "dice").difference is not None
    assert not report.trained_on_phantoms
    assert "U-Net" in table.read_text()
    assert "Two networks" in page.read_text()


def test_a_stopped_comparison_goes_on_where_it_was(experiment, lits, monkeypatch):
    trained, stop_at = [], 3

    def counting(settings, *others):
        if len(trained) == stop_at:
            raise KeyboardInterrupt
        trained.append((settings.network.kind, settings.seed))
        return real(settings, *others)

    real = module.trained
    monkeypatch.setattr(module, "trained", counting)
    with pytest.raises(KeyboardInterrupt):
        compare(experiment, lits / "out", lits / "cache", workers=1)
    assert read_comparison(lits / "out" / "comparison.json").models[0].seeds == 1  # what there was is told already
    stop_at = 99
    compare(experiment, lits / "out", lits / "cache", workers=1)
    assert trained == [("hybrid", 0), ("unet", 0), ("hybrid", 1), ("unet", 1)]
    assert read_comparison(lits / "out" / "comparison.json").models[0].seeds == 2


def test_an_outcome_by_another_split_is_none(experiment, lits, monkeypatch):
    """A case to learn from and one to choose by change places; the test is the same."""
    compare(experiment, lits / "out", lits / "cache", workers=1)
    content = json.loads((lits / "split.json").read_text())
    groups = content["groups"]
    groups["training"][0], groups["validation"][0] = groups["validation"][0], groups["training"][0]
    (lits / "split.json").write_text(json.dumps(content))
    monkeypatch.setattr(module, "trained", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(experiment, lits / "out", lits / "cache", workers=1)


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_test_case_that_cannot_be_read_is_counted(experiment, lits):
    """Else a comparison of hours would never come to its end."""
    miniatures.write_lits(lits / "LiTS", {n: miniatures.draw(miniatures.LIVER_TUMOUR, n) for n in range(7, 14)})
    image = unseen(load_settings(lits / "run.yaml"), lits).refs[0].images["CT"]
    image.write_bytes(bytes(image.stat().st_size))
    _, data, _ = compare(experiment, lits / "out", lits / "cache", workers=1)
    assert [(model.cases, model.failures) for model in read_comparison(data).models] == [(1, 2), (1, 2)], "of two seeds"


@pytest.mark.parametrize("directions", ["axial", "oblique"])
def test_what_is_found_on_an_irrelevant_finding_of_luna16_is_neither_right_nor_wrong(
    directions, configuration, lits, monkeypatch
):
    """As a bundle is judged (test_judge.py); here on the working grid, which lies elsewhere than the images."""
    grid = miniatures.grid_of(directions)
    irrelevant, elsewhere = grid.to_lps([(2, 3, 3), (9, 20, 18)])
    mark = Mark(tuple(map(float, irrelevant)), 6.0)
    miniatures.write_luna16(lits / "LUNA16", {0: miniatures.draw(miniatures.LUNG_NODULE, 1, grid)}, {0: [mark]})
    nodules = {"activation": "sigmoid", "regions": [{"name": "nodule", "label": 1, "members": [1]}]}
    settings = load_settings(configuration(
        task="lung_nodule", data={"kind": "luna16", "folder": "LUNA16"}, output=nodules,
        recipe={"primary": "CT", "channels": [{"role": "CT", "scale": "window", "low": -1000, "high": 400}],
                "spacing_mm": [1, 1, 1]}))
    data = Luna16(lits / "LUNA16")
    (ref,) = data.cases()
    working = prepared_case(data.read(ref), settings.recipe)[0].grid

    def answer(case, *_):
        """The truth, and a ball of 4 mm on either place."""
        labels = np.array(case.labels)
        for place in (irrelevant, elsewhere):
            labels[miniatures.distance(working, place) <= 2] = 1
        return labels

    for name, stub in (("look", lambda network, case, *_: case), ("convinced", lambda case, _: case),
                       ("decode", answer)):  # fmt: skip
        monkeypatch.setattr(module, name, stub)
    exam = module._Exam("", Unseen(data, (ref,), "LUNA16", synthetic=False), lits / "cache", "cpu")
    (score,) = module._judged(SimpleNamespace(settings=settings, network=None), exam).scores
    assert (score.lesions.hits, score.lesions.found, score.lesions.false) == (1, 2, 1)


def test_a_pool_is_judged_on_each_part_beside_a_network_for_each(pool, lits):
    _, data, _ = compare(pool, lits / "out", lits / "cache", workers=1)
    report = read_comparison(data)
    each, both, longer = report.models
    assert (each.name, both.name, longer.name) == ("each", "both", "both, longer")
    assert {model.cases for model in report.models} == {2}
    assert each.parameters == 2 * both.parameters
    assert report.regions == ("tumour on MR", "tumour on CT")
    assert report.dataset == "MR: BraTS; CT: LiTS"
    for region in report.regions:
        assert report.row("both", region, "dice").difference.n == 1


def test_a_pool_that_was_stopped_goes_on_where_it_was(pool, lits, monkeypatch):
    trained, stop_at = [], 2

    def counting(settings, material, *others):
        if len(trained) == stop_at:
            raise KeyboardInterrupt
        trainer = real(settings, material, *others)
        trained.append((settings.task, settings.steps, trainer.seconds_per_step > 0))
        return trainer

    real = module.trained
    monkeypatch.setattr(module, "trained", counting)
    with pytest.raises(KeyboardInterrupt):
        compare(pool, lits / "out", lits / "cache", workers=1)
    stop_at = 99
    compare(pool, lits / "out", lits / "cache", workers=1)
    brain, liver = "brain_tumour", "liver_tumour"
    assert trained == [(brain, 4, True), (liver, 4, True), (brain, 4, True), (brain, 8, True)]
