"""U-Net is the hybrid network without its two additions, and as large as its formula says."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from inference.networks.attention_gate import AttentionGate
from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.networks.unet import UNet


def parameters(in_channels, out_channels, dimensions, widths):
    """Two convolutions and two normalisations a stack, one transposed convolution a step up, one output."""

    def stack(before, after):
        return 3**dimensions * (before * after + after * after) + 4 * after

    down = sum(stack(before, after) for before, after in zip((in_channels, *widths), widths, strict=False))
    up = sum(2**dimensions * below * width + width + stack(2 * width, width)
             for width, below in pairwise(widths))
    return down + up + widths[0] * out_channels + out_channels


@pytest.mark.parametrize("widths", [(4, 8), (64, 128, 256, 512, 1024)])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_it_is_as_large_as_its_formula(dimensions, widths):
    with torch.device("meta"):
        network = UNet(2, 3, dimensions=dimensions, widths=widths)
    assert sum(weights.numel() for weights in network.parameters()) == parameters(2, 3, dimensions, widths)


def test_no_attention_is_left():
    network = UNet(1, 1, widths=(4, 8, 8))
    assert not [m for m in network.modules() if isinstance(m, AttentionGate | nn.MultiheadAttention)]


def test_what_it_shares_with_the_hybrid_network_begins_the_same():
    torch.manual_seed(0)
    plain = UNet(1, 2, widths=(4, 8)).state_dict()
    hybrid = HybridUNetTransformer(1, 2, widths=(4, 8), heads=2).state_dict()
    assert set(plain) < set(hybrid)
    assert all(value.shape == hybrid[name].shape for name, value in plain.items())


def test_a_skip_connection_brings_the_finest_detail():
    torch.manual_seed(0)
    network = UNet(1, 1, dimensions=2, widths=(4, 8, 8)).eval()
    x = torch.randn(1, 1, 16, 16, requires_grad=True)
    network(x)[0, 0, 5, 5].backward()
    assert x.grad[0, 0, 5, 5] != 0
