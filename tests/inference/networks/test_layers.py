"""One name for each layer in two and three dimensions."""

import pytest
import torch
from torch import nn

from inference.networks.layers import RARE, check_grid, conv_norm_relu, layers, logits_layer


def test_each_layer_has_its_dimensions():
    for dimensions in (2, 3):
        of = layers(dimensions)
        for layer in (of.convolution, of.transposed, of.norm, of.dropout):
            assert layer.__name__.endswith(f"{dimensions}d")
        x = torch.rand(1, 1, *[4] * dimensions)
        pooled, places = of.max_pool(x, 2, return_indices=True)
        assert torch.equal(of.max_pool(of.max_unpool(pooled, places, 2), 2), pooled)


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match="2 or 3 dimensions, not 4"):
        layers(4)


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_convolution_keeps_the_grid_and_leaves_the_bias_to_the_norm(dimensions, dilation):
    unit = conv_norm_relu(2, 3, dimensions, dilation=dilation)
    assert unit(torch.randn(2, 2, *[6] * dimensions)).shape == (2, 3, *[6] * dimensions)
    assert unit[0].bias is None


def test_first_logits_are_rare():
    layer = logits_layer(2, 3, 3)
    assert torch.equal(layer.bias, torch.full((3,), RARE))
    assert isinstance(layer, nn.Conv3d)
    assert layer.kernel_size == (1, 1, 1)


def test_a_grid_that_does_not_fit_is_named_with_its_divisor():
    check_grid(torch.zeros(1, 1, 8, 4), 4)
    with pytest.raises(ValueError, match=r"multiple of 4, not \(8, 6\)"):
        check_grid(torch.zeros(1, 1, 8, 6), 4)
