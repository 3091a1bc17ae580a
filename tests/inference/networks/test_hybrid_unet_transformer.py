"""The hybrid U-Net transformer has the modules of the paper's Table 3."""

import pytest
import torch
from torch import nn

from inference.networks.attention_gate import AttentionGate
from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.networks.transformer import TransformerBottleneck
from inference.networks.unet_parts import ConvStack


def kinds(network, kind):
    return [module for module in network.modules() if isinstance(module, kind)]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_logits_lie_on_the_input_grid(dimensions):
    network = HybridUNetTransformer(2, 3, dimensions=dimensions, widths=(4, 8, 16)).eval()
    sizes = (8, 12, 16)[:dimensions]
    assert network(torch.randn(2, 2, *sizes)).shape == (2, 3, *sizes)


def test_every_row_of_table_3_is_there():
    network = HybridUNetTransformer(4, 3, widths=(4, 8, 16, 32), transformer_layers=2)
    assert [type(layer) for layer in network.encoder[0]][:3] == [nn.Conv3d, nn.BatchNorm3d, nn.ReLU]
    assert len(network.encoder) == 4
    assert isinstance(network.pool, nn.MaxPool3d)
    assert len(kinds(network, TransformerBottleneck)) == 1
    assert len(kinds(network, nn.MultiheadAttention)) == 2
    assert len(kinds(network, nn.ConvTranspose3d)) == len(kinds(network, AttentionGate)) == 3
    assert len(kinds(network, ConvStack)) == 4 + 3
    assert network.output.kernel_size == (1, 1, 1)


def test_the_transformer_sees_across_the_whole_window():
    torch.manual_seed(0)
    network = HybridUNetTransformer(1, 1, widths=(4, 8, 16), dropout=0.0).eval()
    near = torch.randn(1, 1, 32, 32, 32)
    far = near.clone()
    far[..., -1] += 10  # 28 voxels away from where we look: beyond every convolution's reach
    assert not torch.equal(network(near)[..., :2], network(far)[..., :2])


def test_every_parameter_learns():
    network = HybridUNetTransformer(2, 2, widths=(4, 8, 16))
    network(torch.randn(2, 2, 16, 16, 16)).square().mean().backward()
    assert [name for name, weights in network.named_parameters() if weights.grad is None] == []


def test_an_untrained_network_finds_little():
    torch.manual_seed(0)
    chance = HybridUNetTransformer(1, 2, widths=(4, 8, 16))(torch.randn(2, 1, 16, 16, 16)).sigmoid()
    assert 0.01 < float(chance.mean().detach()) < 0.1


def test_a_size_that_does_not_halve_is_refused():
    network = HybridUNetTransformer(1, 1, widths=(4, 8, 16))
    assert network.divisor == 4
    with pytest.raises(ValueError, match="multiple of 4"):
        network(torch.randn(1, 1, 8, 8, 10))


@pytest.mark.parametrize(("dimensions", "widths"), [(4, (4, 8)), (3, (4,))])
def test_impossible_shapes_are_refused(dimensions, widths):
    with pytest.raises(ValueError, match="dimensions"):
        HybridUNetTransformer(1, 1, dimensions=dimensions, widths=widths)
