"""Encoders answer with a feature map a level, decoders return to the finest."""

import pytest
import torch

from inference.networks.attention_gate import AttentionGate
from inference.networks.unet_parts import ConvEncoder, Decoder, DecoderLevel, ResNetLevels

WIDTHS = (4, 6, 8)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("kind", ["plain", "resnet34"])
def test_an_encoder_halves_the_grid_with_every_level(kind, dimensions):
    encoder = ConvEncoder(2, WIDTHS, dimensions, 0.0) if kind == "plain" else ResNetLevels(2, WIDTHS, dimensions)
    features = encoder(torch.randn(2, 2, *[16] * dimensions))
    assert [level.shape[1] for level in features] == list(WIDTHS)
    assert [level.shape[2:] for level in features] == [(size,) * dimensions for size in (16, 8, 4)]


def test_a_level_is_halved_by_its_maxima():
    encoder = ConvEncoder(1, (4, 4), 2, 0.0).eval()
    finest, coarse = encoder(torch.randn(1, 1, 8, 8))
    assert torch.equal(coarse, encoder[1](torch.nn.functional.max_pool2d(finest, 2)))


def test_channels_are_dropped_in_training_from_the_third_level_on():
    torch.manual_seed(0)
    rates = [stack[3].p for stack in ConvEncoder(1, (4, 4, 4, 4), 3, 0.5)]
    assert rates == [0.0, 0.0, 0.5, 0.5]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_decoder_returns_level_by_level(dimensions):
    skips = [torch.randn(1, width, *[size] * dimensions) for width, size in zip(WIDTHS[:-1], (8, 4), strict=True)]
    features = Decoder(WIDTHS, dimensions)(torch.randn(1, WIDTHS[-1], *[2] * dimensions), skips)
    assert [level.shape for level in features] == [skip.shape for skip in skips]


def test_a_closed_gate_lets_nothing_of_the_skip_through():
    torch.manual_seed(0)
    level = DecoderLevel(8, 4, 3).eval()
    below, skip = torch.randn(1, 8, 2, 2, 2), torch.randn(1, 4, 4, 4, 4)
    assert not torch.allclose(level(below, skip), level(below, 0 * skip))
    torch.nn.init.constant_(level.gate.psi[0].bias, -100.0)
    assert torch.allclose(level(below, skip), level(below, 0 * skip))


def test_an_open_gate_is_no_gate():
    torch.manual_seed(0)
    gated, bare = DecoderLevel(8, 4, 3).eval(), DecoderLevel(8, 4, 3, gates=False).eval()
    assert not [module for module in bare.modules() if isinstance(module, AttentionGate)]
    torch.nn.init.constant_(gated.gate.psi[0].bias, 100.0)
    gated.load_state_dict(bare.state_dict(), strict=False)
    below, skip = torch.randn(1, 8, 2, 2, 2), torch.randn(1, 4, 4, 4, 4)
    assert torch.allclose(gated(below, skip), bare(below, skip), atol=1e-6)


def test_without_skips_only_what_lies_below_counts():
    level = DecoderLevel(8, 4, 3, skips=False).eval()
    below, skip = torch.randn(1, 8, 2, 2, 2), torch.randn(1, 4, 4, 4, 4)
    assert torch.equal(level(below, skip), level(below, 0 * skip))
    assert level(below, skip).shape == skip.shape
