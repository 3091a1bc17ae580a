"""The transformer at the bottom sees every position of any window."""

import pytest
import torch
from torch import nn

from inference.networks.transformer import TransformerBottleneck


@pytest.mark.parametrize("shape", [(4, 6), (2, 3, 4)])
def test_the_shape_is_kept_for_any_window(shape):
    bottleneck = TransformerBottleneck(8, len(shape), layers=1, heads=2, dropout=0.0)
    assert bottleneck(torch.randn(2, 8, *shape)).shape == (2, 8, *shape)
    assert bottleneck(torch.randn(1, 8, *(2 * size for size in shape))).shape[2:] == tuple(2 * s for s in shape)


def test_every_position_is_seen_from_every_other():
    torch.manual_seed(0)
    bottleneck = TransformerBottleneck(8, 2, layers=1, heads=2, dropout=0.0).eval()
    x = torch.randn(1, 8, 6, 6, requires_grad=True)
    bottleneck(x)[0, 0, 0, 0].backward()
    assert (x.grad.abs().sum(1) > 0).all()


def test_positions_are_told_apart():
    torch.manual_seed(0)
    bottleneck = TransformerBottleneck(8, 2, layers=1, heads=2, dropout=0.0).eval()
    seen = bottleneck(torch.ones(1, 8, 5, 5))
    assert not torch.allclose(seen[..., 0, 0], seen[..., 2, 2])


def test_layers_and_heads_are_as_asked():
    bottleneck = TransformerBottleneck(8, 3, layers=3, heads=4, dropout=0.0)
    attention = [module for module in bottleneck.modules() if isinstance(module, nn.MultiheadAttention)]
    assert [layer.num_heads for layer in attention] == [4, 4, 4]


def test_heads_that_cannot_share_the_channels_are_refused():
    with pytest.raises(ValueError, match="3 heads of attention cannot share 8 channels"):
        TransformerBottleneck(8, 3, layers=1, heads=3, dropout=0.0)
