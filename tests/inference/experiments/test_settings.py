"""An experiment says what differs between its variants; everything else is the base configuration's."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from inference.errors import ModelError
from inference.experiments.settings import changed, load_experiment, runs

CONF = Path(__file__).resolve().parents[3] / "conf" / "training"
EXPERIMENT = {
    "title": "Two nets", "base": "run.yaml", "seeds": [3, 4],
    "variants": {"hybrid": {}, "U-Net": {"network": {"kind": "unet", "widths": [4, 8]}}},
}  # fmt: skip


def written(folder: Path, **changes: object) -> Path:
    path = folder / "experiment.yaml"
    YAML().dump(EXPERIMENT | changes, path)
    return path


def test_every_variant_is_trained_with_every_seed(configuration, lits):
    configuration()
    experiment = load_experiment(written(lits))
    made = [(run.variant, run.seed, run.settings.seed, run.settings.network.kind) for run in runs(experiment, lits)]
    assert made == [("hybrid", 3, 3, "hybrid"), ("U-Net", 3, 3, "unet"), ("hybrid", 4, 4, "hybrid"),
                    ("U-Net", 4, 4, "unet")]  # fmt: skip


def test_a_mapping_is_changed_key_by_key_and_a_network_as_a_whole():
    base = {"augment": {"gamma": 0.2, "noise": 0.1}, "network": {"widths": [4, 8]}, "batch": 2}
    found = changed(base, {"augment": {"gamma": 0}, "network": {"kind": "unet"}, "batch": 4})
    assert found == {"augment": {"gamma": 0, "noise": 0.1}, "network": {"kind": "unet"}, "batch": 4}
    assert base["augment"]["gamma"] == 0.2


@pytest.mark.parametrize(("changes", "reason"), [
    ({"variants": {"alone": {}}}, "variants"),
    ({"variants": {"../out": {}, "b": {}}}, "cannot be one"),
    ({"seeds": []}, "seeds"),
    ({"bases": "x"}, "bases"),
])  # fmt: skip
def test_a_wrong_file_names_its_keys(lits, changes, reason):
    with pytest.raises(ModelError, match=reason):
        load_experiment(written(lits, **changes))


def test_a_variant_that_is_no_configuration_is_named(configuration, lits):
    configuration()
    experiment = load_experiment(written(lits, variants={"a": {}, "fast": {"speed": 9}}))
    with pytest.raises(ModelError, match=r"(?s)variant fast is no configuration.*speed"):
        list(runs(experiment, lits))


@pytest.mark.parametrize("name", ["compare_networks", "ablation"])
def test_the_shipped_experiments_are_valid(name):
    experiment = load_experiment(CONF / f"{name}.yaml")
    made = list(runs(experiment, CONF))
    assert len(made) == 3 * len(experiment.variants)
    for run in made:
        run.settings.network.build(len(run.settings.recipe.channels), 3, run.settings.dimensions)
        assert max(run.settings.cases.training.stop, run.settings.cases.validation.stop) <= experiment.tested.start
