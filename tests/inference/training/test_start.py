"""A run goes on from a bundle of its own network, or from one of a part of it, or from one for each part."""

from pathlib import Path

import pytest
import torch

from inference.errors import ModelError
from inference.tasks import TASKS
from inference.training.config import load_settings
from inference.training.export import export
from inference.training.loop import Best, copied
from inference.training.material import Material
from inference.training.start import begin

CONF = Path(__file__).parents[3] / "conf" / "training"
NOTHING = Material([], [], "nothing")
FINE = {"widths": [4, 8], "transformer_layers": 0, "dropout": 0}


def test_training_goes_on_from_a_bundle(trainer, settings, tmp_path):
    first = trainer(seed=3)
    export(settings(), first.network, Best(), tmp_path / "bundle", NOTHING)
    second = trainer(start=tmp_path / "bundle")
    for name, value in first.network.state_dict().items():
        assert torch.allclose(value, second.network.state_dict()[name], atol=1e-3), name


def test_a_coarse_network_is_gone_on_from_by_one_that_refines_it(trainer, settings, tmp_path):
    first = trainer(seed=3)
    export(settings(), first.network, Best(), tmp_path / "bundle", NOTHING)
    refining = {"kind": "coarse_to_fine", "coarse": settings().network.model_dump(), "fine": FINE}
    second = trainer(start=tmp_path / "bundle", network=refining)
    for name, value in first.network.state_dict().items():
        assert torch.allclose(value, second.network.coarse.state_dict()[name], atol=1e-3), name


def test_a_coarse_network_is_judged_by_its_corrected_answer_and_learns_by_both(trainer, settings):
    refining = {"kind": "coarse_to_fine", "coarse": settings().network.model_dump(), "fine": FINE}
    assert trainer(network=refining).run().score > 0.8


def two_scales(settings):
    part = settings().network.model_dump()
    return {"kind": "two_scales", "near": {**part, "transformer_layers": 0}, "far": part}


def same(one, other):
    return all(torch.allclose(value, other.state_dict()[name], atol=1e-3) for name, value in one.state_dict().items())


def test_each_part_may_go_on_from_a_bundle_of_its_own(trainer, settings, tmp_path):
    for name, seed in (("near", 3), ("far", 4)):
        first = trainer(seed=seed, network=two_scales(settings)[name])
        export(first.settings, first.network, Best(), tmp_path / name, NOTHING)
    parts = {name: tmp_path / name for name in ("near", "far")}
    joined = trainer(start=parts, network=two_scales(settings), patch=[12, 12, 12])
    export(joined.settings, joined.network, Best(), tmp_path / "joined", NOTHING)
    card = (tmp_path / "joined" / "docs" / "README.md").read_text()
    assert "going on from the weights of near for near (0.0.1: trained on nothing) and far for far (" in card
    again = trainer(seed=5, start={"near": tmp_path / "joined"}, network=two_scales(settings), patch=[12, 12, 12])
    assert same(joined.network.near, again.network.near)
    assert not same(joined.network.far, again.network.far)


def test_a_part_of_a_bundle_is_gone_on_from_by_itself(trainer, settings, tmp_path):
    joined = trainer(seed=3, network=two_scales(settings), patch=[12, 12, 12])
    export(joined.settings, joined.network, Best(), tmp_path / "joined", NOTHING)
    assert same(joined.network.far, trainer(start=tmp_path / "joined").network)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_shipped_model_is_gone_on_from_by_its_configuration(task):
    run = load_settings(CONF / f"{task}.yaml")
    network = run.network.build(len(run.recipe.channels), run.output.channels)
    first = copied(network)
    begin(network, run)
    assert not all(torch.equal(value, first[name]) for name, value in network.state_dict().items())


def test_without_steps_the_weights_stay_as_they_are(trainer, settings, tmp_path):
    first = trainer(seed=3)
    export(settings(), first.network, Best(), tmp_path / "bundle", NOTHING)
    seeds = {"first_seed": 1, "count": 0, "validation_first_seed": 5, "validation_count": 1}
    second = trainer(start=tmp_path / "bundle", steps=0, cases=seeds)
    best = second.run()
    assert same(first.network, second.network)
    export(second.settings, second.network, best, tmp_path / "second", NOTHING)
    card = (tmp_path / "second" / "docs" / "README.md").read_text()
    assert "Its thresholds were chosen by cases that it did not learn\nfrom, after 0 steps" in card


def test_a_bundle_is_refused_for_a_part_that_is_another_network(trainer, settings, tmp_path):
    first = trainer(seed=3)
    export(settings(), first.network, Best(), tmp_path / "bundle", NOTHING)
    with pytest.raises(ModelError, match="its near part is none of"):
        trainer(start={"near": tmp_path / "bundle"}, network=two_scales(settings), patch=[12, 12, 12])


def test_a_bundle_of_another_network_cannot_be_gone_on_from(trainer, settings, tmp_path):
    export(settings(), trainer().network, Best(), tmp_path / "bundle", NOTHING)
    wider = {"widths": [8, 16], "transformer_layers": 1, "heads": 2, "dropout": 0}
    with pytest.raises(ModelError, match="training cannot start from bundle"):
        trainer(start=tmp_path / "bundle", network=wider)
