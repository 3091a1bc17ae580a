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

ONE_REGION = {"output": {"activation": "sigmoid", "regions": [{"name": "tumour", "label": 2, "members": [2]}]}}


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


def test_weights_that_are_named_lie_where_the_base_configuration_says(configuration, lits):
    configuration(start="bundle")
    resnet = {"network": {"encoder": "resnet34", "widths": [4, 8, 8], "pretrained": "resnet.pth"}}
    variants = {"plain": {}, "two parts": {"start": {"coarse": "other"}}, "anew": {"start": {}, **resnet}}
    found = [run.settings for run in runs(load_experiment(written(lits, seeds=[0], variants=variants)), lits)]
    assert [one.start for one in found] == [{"": lits / "bundle"}, {"coarse": lits / "other"}, {}]
    assert found[2].network.pretrained == lits / "resnet.pth"


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
    ({"pool": {"CT": {}}}, "two or more parts"),
    ({"pool": {"CT": {}, "": {}}}, "each with a name"),
    ({"pool": {"CT": {}, "MR": {"steps": 9}}}, "part MR says steps"),
])  # fmt: skip
def test_a_wrong_file_names_its_keys(lits, changes, reason):
    with pytest.raises(ModelError, match=reason):
        load_experiment(written(lits, **changes))


def test_a_variant_that_is_no_configuration_is_named(configuration, lits):
    configuration()
    experiment = load_experiment(written(lits, variants={"a": {}, "fast": {"speed": 9}}))
    with pytest.raises(ModelError, match=r"(?s)variant fast is no configuration.*speed"):
        list(runs(experiment, lits))


def test_a_pool_is_one_training_over_all_parts_or_one_for_each(configuration, lits):
    configuration(**ONE_REGION)
    pool = {"thick": {}, "thin": {"output": {**ONE_REGION["output"]}}}
    variants = {"each": {"apart": True, "batch": 4}, "both": {"steps": 8}}
    each, both = runs(load_experiment(written(lits, seeds=[3], pool=pool, variants=variants)), lits)
    assert [list(parts) for parts in each.trainings] == [["thick"], ["thin"]]
    assert [list(parts) for parts in both.trainings] == [["thick", "thin"]]
    assert {(part.steps, part.batch, part.seed) for part in both.trainings[0].values()} == {(8, 2, 3)}
    assert each.settings.batch == 4


def test_without_a_pool_nothing_is_apart(configuration, lits):
    configuration()
    experiment = load_experiment(written(lits, variants={"a": {}, "b": {"apart": True}}))
    with pytest.raises(ModelError, match=r"(?s)variant b is no configuration.*apart"):
        list(runs(experiment, lits))


def test_parts_that_do_not_fit_together_are_told_with_their_variant(configuration, lits):
    configuration()
    experiment = load_experiment(written(lits, pool={"one": {}, "other": {}}))
    with pytest.raises(ModelError, match="variant hybrid is no configuration: one of the pool has 2 regions"):
        list(runs(experiment, lits))


@pytest.mark.parametrize("name", ["compare_networks", "compare_networks_3d", "ablation", "pooled"])
def test_the_shipped_experiments_are_valid(name):
    experiment = load_experiment(CONF / f"{name}.yaml")
    made = list(runs(experiment, CONF))
    assert len(made) == 3 * len(experiment.variants)
    for run in made:
        run.settings.network.build(len(run.settings.recipe.channels), 3, run.settings.dimensions)
        for part in (part for parts in run.trainings for part in parts.values()):
            assert max(part.cases.training.stop, part.cases.validation.stop) <= experiment.tested.start
