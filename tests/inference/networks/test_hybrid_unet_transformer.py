"""The hybrid U-Net transformer has the modules of the paper's Table 3."""

import pytest
import torch
from torch import nn

from inference.networks.attention_gate import AttentionGate
from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.networks.resnet import ResNetEncoder
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
    assert len(network.decoder) == 3
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


@pytest.mark.parametrize(("arguments", "reason"), [
    ({"dimensions": 4}, "2 or 3 dimensions, not 4"),
    ({"widths": (4,)}, "at least 2 levels"),
    ({"widths": (4, 6), "heads": 4}, "4 heads of attention cannot share 6 channels"),
    ({"encoder": "vgg"}, "plain or resnet34, not 'vgg'"),
    ({"encoder": "resnet34", "widths": (4, 4)}, "a stem and 1 to 4 stages"),
])
def test_impossible_shapes_are_refused(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        HybridUNetTransformer(1, 1, **arguments)


@pytest.mark.parametrize(("switch", "gone"), [
    ({"attention_gates": False}, "gate."),
    ({"transformer_layers": 0}, "transformer."),
    ({"skips": False}, "gate."),
])
def test_a_switch_takes_out_its_part_and_nothing_else(switch, gone):
    whole = HybridUNetTransformer(1, 1, widths=(4, 8, 16)).state_dict()
    without = HybridUNetTransformer(1, 1, widths=(4, 8, 16), **switch).state_dict()
    assert set(without) == {name for name in whole if gone not in name}


def test_without_transformer_only_convolutions_reach():
    torch.manual_seed(0)
    network = HybridUNetTransformer(1, 1, dimensions=2, widths=(4, 4), transformer_layers=0, dropout=0.0).eval()
    near = torch.randn(1, 1, 32, 32)
    far = near.clone()
    far[..., -1] += 10
    assert torch.equal(network(near)[..., :2], network(far)[..., :2])


def test_without_skips_the_decoder_builds_on_the_coarsest_scale_alone():
    torch.manual_seed(0)
    network = HybridUNetTransformer(1, 1, widths=(4, 8), heads=2, skips=False).eval()
    silent = HybridUNetTransformer(1, 1, widths=(4, 8), heads=2, skips=False).eval()
    silent.load_state_dict(network.state_dict())
    coarsest = torch.zeros(1, 8, 4, 4, 4)
    silent.encoder[1].register_forward_hook(lambda _module, _input, _features: coarsest)
    network.encoder[1].register_forward_hook(lambda _module, _input, _features: coarsest)
    assert torch.equal(network(torch.randn(1, 1, 8, 8, 8)), silent(torch.randn(1, 1, 8, 8, 8)))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_deep_supervision_answers_on_coarser_grids_too_in_training_only(dimensions):
    network = HybridUNetTransformer(1, 2, dimensions=dimensions, widths=(4, 4, 4, 4), deep_supervision=True)
    x = torch.randn(2, 1, *[16] * dimensions)
    assert [answer.shape for answer in network(x)] == [(2, 2, *[size] * dimensions) for size in (16, 8, 4)]
    assert network.eval()(x).shape == (2, 2, *[16] * dimensions)


def test_deep_supervision_adds_outputs_and_changes_nothing_else():
    torch.manual_seed(0)
    bare = HybridUNetTransformer(1, 1, widths=(4, 8, 8)).eval()
    supervised = HybridUNetTransformer(1, 1, widths=(4, 8, 8), deep_supervision=True).eval()
    unknown = supervised.load_state_dict(bare.state_dict(), strict=False)
    assert unknown.unexpected_keys == []
    assert all(name.startswith("supervised.") for name in unknown.missing_keys)
    x = torch.randn(1, 1, 8, 8, 8)
    assert torch.equal(bare(x), supervised(x))


def test_every_level_is_normalised_and_dropout_acts_in_training_only():
    torch.manual_seed(0)
    network = HybridUNetTransformer(1, 1, widths=(4, 8, 8), dropout=0.5)
    assert len(kinds(network, nn.BatchNorm3d)) == 2 * len(kinds(network, ConvStack))
    x = torch.randn(2, 1, 8, 8, 8)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_the_resnet_encoder_stands_under_a_level_of_the_whole_grid():
    network = HybridUNetTransformer(2, 1, widths=(4, 4, 8, 8), encoder="resnet34", transformer_layers=0)
    assert len(kinds(network, ResNetEncoder)) == 1
    assert network.divisor == 8
    assert network(torch.randn(2, 2, 16, 16, 16)).shape == (2, 1, 16, 16, 16)
