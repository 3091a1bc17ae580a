"""Attention gates weigh a skip connection by numbers between 0 and 1."""

import pytest
import torch

from inference.networks.attention_gate import AttentionGate


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_skip_keeps_its_shape_and_is_only_ever_damped(dimensions):
    torch.manual_seed(0)
    gate = AttentionGate(skip_channels=6, gate_channels=12, dimensions=dimensions)
    skip = torch.randn(2, 6, *[8] * dimensions)
    weighed = gate(skip, torch.randn(2, 12, *[4] * dimensions))
    assert weighed.shape == skip.shape
    assert (weighed.abs() <= skip.abs()).all()
    assert (weighed * skip >= 0).all()


def test_what_the_gate_asks_for_decides_what_passes():
    torch.manual_seed(0)
    gate = AttentionGate(4, 8)
    skip = torch.ones(1, 4, 4, 4, 4)
    low = gate(skip, torch.zeros(1, 8, 2, 2, 2))
    high = gate(skip, torch.full((1, 8, 2, 2, 2), 3.0))
    assert not torch.allclose(low, high)


def test_a_forward_hook_reads_the_attention_map():
    gate = AttentionGate(4, 8)
    maps = []
    gate.psi.register_forward_hook(lambda _module, _input, output: maps.append(output.detach()))
    gate(torch.randn(1, 4, 8, 8, 8), torch.randn(1, 8, 4, 4, 4))
    assert maps[0].shape == (1, 1, 4, 4, 4)
    assert 0 <= float(maps[0].min()) <= float(maps[0].max()) <= 1
