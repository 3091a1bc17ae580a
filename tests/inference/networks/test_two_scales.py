"""One network looks near, another one from afar; what either finds is found."""

import pytest
import torch
from torch.nn import functional

from inference.networks.registry import network_settings
from inference.networks.two_scales import TwoScales

PART = {"widths": [4, 8], "transformer_layers": 1, "heads": 2, "dropout": 0.0}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return TwoScales(2, 3, near=PART, far=PART).eval()


def test_of_each_voxel_the_higher_answer_counts(network):
    x = torch.randn(1, 2, 6, 12, 18)
    far = functional.interpolate(network.far(functional.avg_pool3d(x, 3)), scale_factor=3, mode="trilinear")
    near = network.near(x)
    assert torch.allclose(network(x), torch.maximum(near, far), atol=1e-6)
    assert (near > far).any()
    assert (far > near).any()


def test_in_training_the_far_answer_is_given_as_well_and_both_parts_learn(network):
    logits, far = network.train()(torch.randn(2, 2, 12, 12, 12))
    assert (logits.shape, far.shape) == ((2, 3, 12, 12, 12), (2, 3, 4, 4, 4))
    logits.square().mean().backward()
    assert network.near.output.weight.grad.abs().sum() > 0
    assert network.far.output.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("near", "divisor"), [([4, 8], 6), ([4, 8, 8, 8], 24)])
def test_both_parts_can_halve_what_the_divisor_divides(near, divisor):
    settings = network_settings({"kind": "two_scales", "near": {**PART, "widths": near}, "far": PART})
    assert settings.divisor == settings.build(2, 3).divisor == divisor
