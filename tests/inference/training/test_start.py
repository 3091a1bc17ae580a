"""A run goes on from a bundle of its own network, or of the one that is its coarse part."""

import pytest
import torch

from inference.errors import ModelError
from inference.training.export import export
from inference.training.loop import Best
from inference.training.material import Material

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


def test_a_bundle_of_another_network_cannot_be_gone_on_from(trainer, settings, tmp_path):
    export(settings(), trainer().network, Best(), tmp_path / "bundle", NOTHING)
    wider = {"widths": [8, 16], "transformer_layers": 1, "heads": 2, "dropout": 0}
    with pytest.raises(ModelError, match="training cannot start from bundle"):
        trainer(start=tmp_path / "bundle", network=wider)
