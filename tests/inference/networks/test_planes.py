"""A network of two dimensions answers for volumes, plane by plane."""

import numpy as np
import pytest
import torch
from torch import nn

from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.networks.planes import Planes, over_volumes
from inference.sliding import Sliding, slide


@pytest.fixture
def flat():
    torch.manual_seed(0)
    return HybridUNetTransformer(2, 1, dimensions=2, widths=(4, 8), transformer_layers=1, heads=2).eval()


def test_each_plane_is_answered_as_if_it_were_alone(flat):
    x = torch.randn(2, 2, 3, 8, 10)
    answer = Planes(flat)(x)
    assert answer.shape == (2, 1, 3, 8, 10)
    for plane in range(3):
        assert torch.allclose(answer[:, :, plane], flat(x[:, :, plane]), atol=1e-5)


def test_only_the_axes_of_a_plane_must_be_divisible(flat):
    assert over_volumes(flat).divisor == (1, 2, 2)


def test_a_network_of_three_dimensions_stays_itself():
    network = nn.Conv3d(1, 1, 1)
    assert over_volumes(network) is network


def test_planes_are_wrapped_once(flat):
    once = over_volumes(flat)
    assert over_volumes(once) is once


def test_a_whole_volume_of_any_depth_is_seen_plane_by_plane(flat, monkeypatch):
    monkeypatch.setattr("inference.sliding.cpu_has_bfloat16", lambda: False)
    volume = np.random.default_rng(0).standard_normal((2, 5, 8, 12)).astype(np.float32)
    found = slide(flat, volume, np.ones((5, 8, 12), bool), Sliding((1, 16, 16)))
    with torch.inference_mode():
        wanted = torch.stack([flat(torch.from_numpy(volume[:, z])[None])[0] for z in range(5)], dim=1)
    assert np.allclose(found, wanted.numpy(), atol=1e-4)
