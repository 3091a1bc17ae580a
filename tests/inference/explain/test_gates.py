"""A network answers with what its attention gates let through, voxel for voxel."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from inference.explain.gates import GateMaps
from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.sliding import Sliding, slide


@pytest.fixture
def hybrid():
    torch.manual_seed(0)
    return HybridUNetTransformer(1, 2, widths=(4, 4, 8), transformer_layers=1, heads=2).eval()


def test_every_gate_has_a_map_on_the_inputs_grid_the_coarsest_first(hybrid):
    maps = GateMaps(hybrid)
    assert maps.names == ("decoder.0.gate", "decoder.1.gate")
    assert maps.divisor == hybrid.divisor
    image = torch.randn(2, 1, 8, 12, 16)
    seen = {}
    for number, step in enumerate(hybrid.decoder):
        step.gate.psi.register_forward_hook(lambda _m, _i, answer, number=number: seen.update({number: answer}))
    with torch.no_grad():
        answer = maps(image)
    assert answer.shape == (2, 2, 8, 12, 16)
    assert [tuple(seen[n].shape[2:]) for n in (0, 1)] == [(2, 3, 4), (4, 6, 8)]
    for number in (0, 1):
        up = functional.interpolate(seen[number], size=(8, 12, 16), mode="trilinear", align_corners=False)
        assert torch.allclose(answer[:, number], up[:, 0], atol=1e-6)


def test_networks_of_two_dimensions_have_maps_of_two():
    network = HybridUNetTransformer(1, 2, dimensions=2, widths=(4, 4, 8), transformer_layers=1, heads=2).eval()
    with torch.no_grad():
        assert GateMaps(network)(torch.randn(3, 1, 8, 12)).shape == (3, 2, 8, 12)


def test_the_network_is_left_as_it_was(hybrid):
    maps = GateMaps(hybrid)
    with torch.no_grad():
        before = hybrid(torch.ones(1, 1, 8, 8, 8))
        maps(torch.ones(1, 1, 8, 8, 8))
        assert torch.equal(hybrid(torch.ones(1, 1, 8, 8, 8)), before)
    assert not any(module._forward_hooks for module in hybrid.modules())


def test_a_gate_that_follows_brightness_is_open_just_there(gated):
    array = np.zeros((1, 12, 20, 14), np.float32)
    array[0, 2:6, 12:18, 4:8] = 1.0
    maps = slide(GateMaps(gated), array, np.ones(array.shape[1:], bool), Sliding((12, 20, 16)))
    assert maps.shape == (1, 12, 20, 14)
    assert maps[0, 3:5, 13:17, 5:7].min() > 0.7, "inside, a voxel away from the edge"
    assert np.array_equal(maps[0] > 0.3, array[0] > 0.5), "0.25 beside a face, 0.42 within a corner"


def test_a_network_without_gates_has_none():
    maps = GateMaps(nn.Conv3d(1, 1, 1))
    assert maps.names == ()
    with pytest.raises(ValueError, match="without attention gates"):
        maps(torch.ones(1, 1, 2, 2, 2))
