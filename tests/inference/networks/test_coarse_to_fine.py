"""A first network answers on half the grid, a second one corrects it; before training it hardly does."""

import pytest
import torch
from torch.nn import functional

from inference.errors import ModelError
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


def test_by_windows_the_second_network_learns_where_the_first_is_unsure(network):
    network.learn_in((4, 4, 4))
    network.train()
    with torch.no_grad():
        network.coarse.output.weight.zero_()
        network.coarse.output.bias.fill_(-30.0)  # sure of nothing, everywhere
    network.coarse.output.register_forward_hook(_unsure_at(2, 3, 1))
    answer = network(x := torch.randn(2, 2, 8, 12, 16))
    assert (answer.logits.shape, answer.coarse.shape) == ((2, 3, 4, 4, 4), (2, 3, 4, 6, 8))
    assert answer.starts.tolist() == [[2, 4, 0]] * 2, "around twice the place on half the grid"
    assert torch.equal(answer.inside(x), x[:, :, 2:6, 4:8, 0:4])


def _unsure_at(*place):
    def unsure(_module, _inputs, logits):
        logits = logits.clone()
        logits[:, 1, *place] = 0.0
        return logits
    return unsure


def test_a_window_keeps_inside_the_grid(network):
    network.learn_in((8, 8, 8))
    for _ in range(5):
        answer = network.train()(torch.randn(1, 2, 8, 12, 8))
        assert answer.starts[0, 0] == answer.starts[0, 2] == 0
        assert 0 <= answer.starts[0, 1] <= 4


def test_by_windows_the_second_network_keeps_its_normalisation(network):
    network.learn_in((4, 4, 4))
    kept = {name: value.clone() for name, value in network.fine.named_buffers()}
    seen = {name: value.clone() for name, value in network.coarse.named_buffers()}
    network.train()(5 + torch.randn(2, 2, 8, 8, 8))
    assert all(torch.equal(value, kept[name]) for name, value in network.fine.named_buffers())
    assert any(not torch.equal(value, seen[name]) for name, value in network.coarse.named_buffers())


def test_by_windows_both_parts_learn(network):
    network.learn_in((4, 4, 4))
    network.train()(torch.randn(1, 2, 8, 8, 8)).logits.square().mean().backward()
    assert network.fine.output.weight.grad.abs().sum() > 0
    assert network.coarse.output.weight.grad.abs().sum() > 0


def test_whole_cases_are_answered_as_without_a_window(network):
    x = torch.randn(1, 2, 8, 8, 8)
    before = network(x)
    network.learn_in((4, 4, 4))
    assert torch.equal(network.eval()(x), before)


def test_a_size_that_a_part_cannot_halve_is_refused(network):
    assert network.divisor == 4
    with pytest.raises(ValueError, match="multiple of 4"):
        network(torch.zeros(1, 2, 8, 8, 10))


def test_its_settings_build_it():
    settings = network_settings({"kind": "coarse_to_fine", "coarse": PART, "fine": {**PART, "widths": [4, 8, 8, 8]}})
    assert settings.divisor == settings.build(2, 3).divisor == 8
    assert set(settings.arguments(2, 3)["fine"]) >= set(PART)


def test_a_window_is_a_way_to_learn_and_no_part_of_the_network():
    plain = network_settings({"kind": "coarse_to_fine", "coarse": PART, "fine": PART})
    windowed = network_settings({"kind": "coarse_to_fine", "coarse": PART, "fine": PART, "window": [8, 8, 8]})
    assert windowed.build(2, 3).window == (8, 8, 8)
    assert windowed.definition(2, 3) == plain.definition(2, 3)


def test_a_window_that_the_second_network_cannot_halve_is_refused():
    with pytest.raises(ModelError, match="window is in multiples of 2"):
        network_settings({"kind": "coarse_to_fine", "coarse": PART, "fine": PART, "window": [8, 7, 8]})
