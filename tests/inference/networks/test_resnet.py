"""The ResNet-34 encoder has torchvision's names and computes what another implementation computes."""

import pytest
import torch
from resnet_weights import WIDTHS, imagenet_state, monai_features, monai_resnet34

from inference.networks.resnet import ResNetEncoder

PUBLISHED = 21_797_672  # parameters of ResNet-34 with its classifier of 1000 classes, as torchvision states them
CLASSIFIER = 512 * 1000 + 1000


def test_names_and_shapes_are_torchvisions():
    state = imagenet_state()
    own = ResNetEncoder(3, WIDTHS, dimensions=2).state_dict()
    assert {name: value.shape for name, value in own.items()} == {
        name: value.shape for name, value in state.items() if not name.startswith("fc.")}


def test_it_is_as_large_as_published():
    with torch.device("meta"):
        encoder = ResNetEncoder(3, dimensions=2)
    assert sum(weights.numel() for weights in encoder.parameters()) == PUBLISHED - CLASSIFIER


@pytest.mark.parametrize(("dimensions", "size"), [(2, 64), (3, 32)])
def test_features_are_those_of_another_implementation(dimensions, size):
    other = monai_resnet34(dimensions, 2, shortcut="B")
    encoder = ResNetEncoder(2, WIDTHS, dimensions).eval()
    encoder.load_state_dict(other.state_dict())
    x = torch.randn(1, 2, *[size] * dimensions)
    with torch.inference_mode():
        for ours, theirs in zip(encoder(x), monai_features(other, x), strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dilated", [1, 2])
def test_a_dilated_stage_keeps_the_grid_and_agrees_with_the_strided_one_where_both_look(dilated):
    torch.manual_seed(0)
    strided, wide = ResNetEncoder(1, WIDTHS, 2).eval(), ResNetEncoder(1, WIDTHS, 2, dilated=dilated).eval()
    wide.load_state_dict(strided.state_dict())
    x = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        coarse, fine = strided(x)[-1], wide(x)[-1]
    every = 2**dilated
    assert fine.shape[2] == every * coarse.shape[2]
    assert torch.allclose(fine[..., ::every, ::every], coarse, rtol=1e-4, atol=1e-5)


def test_fewer_stages_are_a_shorter_network():
    features = ResNetEncoder(1, (4, 4, 8), 3)(torch.randn(2, 1, 16, 16, 16))
    assert [level.shape[1:] for level in features] == [(4, 8, 8, 8), (4, 4, 4, 4), (8, 2, 2, 2)]


@pytest.mark.parametrize("widths", [(4,), (4, 4, 4, 4, 4, 4)])
def test_other_numbers_of_stages_are_refused(widths):
    with pytest.raises(ValueError, match="a stem and 1 to 4 stages"):
        ResNetEncoder(1, widths)
