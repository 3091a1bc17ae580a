"""Variants are trained and judged on the same cases; what is done is not done again."""

import pytest
from ruamel.yaml import YAML

from inference.evaluation.files import read_comparison
from inference.experiments import compare as module
from inference.experiments.compare import compare


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
