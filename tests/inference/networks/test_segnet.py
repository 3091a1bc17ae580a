"""SegNet is VGG16's convolutions and their mirror image around places of maxima."""

import pytest
import torch
from torch import nn

from inference.networks.segnet import SegNet

VGG16 = 14_714_688  # parameters of VGG16's thirteen convolutions with their 4,224 biases, as torchvision has them
BIASES = 4_224


def convolutions(module):
    return [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)]


def test_the_encoder_is_vgg16():
    with torch.device("meta"):
        network = SegNet(3, 2, dimensions=2)
    assert sum(layer.weight.numel() for layer in convolutions(network.encoder)) == VGG16 - BIASES
    assert [len(convolutions(level)) for level in network.encoder] == [2, 2, 3, 3, 3]


def test_the_decoder_mirrors_it():
    with torch.device("meta"):
        network = SegNet(1, 2)
    down = [(layer.in_channels, layer.out_channels) for layer in convolutions(network.encoder)]
    up = [(layer.in_channels, layer.out_channels) for layer in [*convolutions(network.decoder), network.output]]
    assert up == [(after, before) for before, after in reversed(down[1:])] + [(64, 2)]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_it_is_as_large_as_its_formula(dimensions):
    network = SegNet(2, 3, dimensions=dimensions, widths=(4, 6, 8))
    k = 3**dimensions
    down = k * (2 * 4 + 4 * 4 + 4 * 6 + 6 * 6 + 6 * 8 + 8 * 8 + 8 * 8) + 2 * (4 + 4 + 6 + 6 + 8 + 8 + 8)
    up = k * (8 * 8 + 8 * 8 + 8 * 6 + 6 * 6 + 6 * 4 + 4 * 4) + 2 * (8 + 8 + 6 + 6 + 4 + 4)
    assert sum(weights.numel() for weights in network.parameters()) == down + up + (k * 4 * 3 + 3)


def test_the_decoder_begins_at_the_places_of_the_maxima():
    network = SegNet(1, 1, dimensions=2, widths=(4,)).eval()
    seen = []
    network.encoder[0].register_forward_hook(lambda _m, _i, features: seen.append(features))
    network.decoder[0].register_forward_pre_hook(lambda _m, features: seen.append(features[0]))
    with torch.inference_mode():
        network(torch.randn(1, 1, 8, 8))
    features, unpooled = seen
    kept = unpooled != 0
    assert torch.equal(unpooled[kept], features[kept])
    assert torch.equal(nn.functional.max_pool2d(unpooled, 2), nn.functional.max_pool2d(features, 2))


@pytest.mark.parametrize("widths", [(), (4, 4, 4, 4, 4, 4)])
def test_other_numbers_of_levels_are_refused(widths):
    with pytest.raises(ValueError, match="SegNet has 1 to 5 levels"):
        SegNet(1, 1, widths=widths)
