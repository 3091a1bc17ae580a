"""A first network answers on half the grid, a second one corrects it; before training it hardly does."""

import pytest
import torch
from torch.nn import functional

from inference.networks.coarse_to_fine import CoarseToFine
from inference.networks.registry import network_settings

PART = {"widths": [4, 8], "transformer_layers": 1, "heads": 2, "dropout": 0.0}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return CoarseToFine(2, 3, coarse=PART, fine={**PART, "transformer_layers": 0}).eval()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_logits_lie_on_the_input_grid(dimensions):
    network = CoarseToFine(2, 3, coarse=PART, fine=PART, dimensions=dimensions).eval()
    sizes = (8, 12, 16)[:dimensions]
    assert network(torch.randn(2, 2, *sizes)).shape == (2, 3, *sizes)


def test_before_training_the_first_answer_stands(network):
    x = torch.randn(1, 2, 8, 12, 16)
    first = network.coarse(functional.avg_pool3d(x, 2))
    expected = functional.interpolate(first, scale_factor=2, mode="trilinear", align_corners=False)
    assert torch.allclose(network(x), expected, atol=0.02)
    assert not torch.equal(network(x), expected), "else the second one's deeper layers would have nothing to learn by"


def test_the_second_network_sees_the_image_and_the_first_answer(network):
    seen = []
    network.fine.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    network(x := torch.randn(1, 2, 8, 8, 8))
    assert torch.equal(seen[0][:, :2], x)
    assert torch.allclose((seen[0][:, 2:] + 1) / 2, network(x).sigmoid(), atol=0.01)


def test_in_training_the_first_answer_is_given_as_well(network):
    logits, first = network.train()(torch.randn(1, 2, 8, 8, 8))
    assert (logits.shape, first.shape) == ((1, 3, 8, 8, 8), (1, 3, 4, 4, 4))


def test_both_parts_learn(network):
    network.train()(torch.randn(1, 2, 8, 8, 8))[0].square().mean().backward()
    assert network.fine.output.weight.grad.abs().sum() > 0
    assert network.coarse.output.weight.grad.abs().sum() > 0


def test_a_size_that_a_part_cannot_halve_is_refused(network):
    assert network.divisor == 4
    with pytest.raises(ValueError, match="multiple of 4"):
        network(torch.zeros(1, 2, 8, 8, 10))


def test_its_settings_build_it():
    settings = network_settings({"kind": "coarse_to_fine", "coarse": PART, "fine": {**PART, "widths": [4, 8, 8, 8]}})
    assert settings.divisor == settings.build(2, 3).divisor == 8
    assert set(settings.arguments(2, 3)["fine"]) >= set(PART)
