"""Grad-CAM lights where a network's deep features spoke for a finding, and nowhere else."""

import numpy as np
import pytest
import torch
from torch import nn

from inference.explain.gradcam import deepest, grad_cam
from inference.networks.coarse_to_fine import CoarseToFine
from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.sliding import Sliding

SHAPE = (12, 16, 20)
HERE, THERE = np.s_[2:6, 4:8, 2:6], np.s_[6:10, 10:14, 12:18]
WHOLE = Sliding((16, 16, 24))
EDGE = 0.3  # half a coarse voxel apart, interpolation leaves 0.25 beside a face and 0.42 within a corner


def two_spots() -> np.ndarray:
    """Channel 0 is bright here, channel 1 there."""
    array = np.zeros((2, *SHAPE), np.float32)
    array[(0, *HERE)] = array[(1, *THERE)] = 1.0
    return array


def voxels(*places) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    for place in places:
        mask[place] = True
    return mask


@pytest.mark.parametrize(("channel", "place"), [(0, HERE), (1, THERE)])
def test_it_lights_where_the_class_has_its_evidence(pooled, channel, place):
    """Also where the finding is marked elsewhere: the map shows the evidence, not the finding."""
    for mask in (voxels(HERE), voxels(THERE), voxels(np.s_[0:2, 0:2, 0:2])):
        cam = grad_cam(pooled(), two_spots(), mask, channel, WHOLE)
        assert cam.shape == SHAPE
        assert cam.dtype == np.float32
        assert cam.max() == pytest.approx(1)
        assert np.array_equal(cam > EDGE, voxels(place))


def test_a_network_of_planes_is_seen_plane_by_plane(pooled_planes):
    """What speaks for a finding in one plane says nothing of the others."""
    assert deepest(pooled_planes, torch.ones(1, 2, 4, 8, 8)) == "inner.0"
    cam = grad_cam(pooled_planes, two_spots(), voxels(np.s_[3:5, 0:2, 0:2]), 0, WHOLE)
    assert np.array_equal(cam > EDGE, voxels(np.s_[3:5, 4:8, 2:6]))


def test_evidence_against_a_finding_does_not_light(pooled):
    assert not grad_cam(pooled(sign=-1.0), two_spots(), voxels(HERE), 0, WHOLE).any()


def test_a_small_finding_lies_amid_its_window_and_a_large_one_is_seen_through_several(pooled):
    array = np.ones((2, *SHAPE), np.float32)
    small = grad_cam(pooled(), array, voxels(np.s_[5:7, 7:9, 9:11]), 0, Sliding((4, 4, 4)))
    assert np.array_equal(small > 0, voxels(np.s_[4:8, 6:10, 8:12]))
    large = grad_cam(pooled(), array, voxels(np.s_[5:7, 7:9, 1:19]), 0, Sliding((4, 4, 4), overlap=0.5))
    assert (large[5:7, 7:9, 1:19] > 0).all()
    assert not large[:, :5].any()


def test_a_finding_at_the_end_of_a_volume_smaller_than_the_window(pooled):
    cam = grad_cam(pooled(), two_spots(), voxels(np.s_[11:, 15:, 19:]), 0, Sliding((32, 32, 32)))
    assert np.array_equal(cam > EDGE, voxels(HERE))


def test_the_network_is_left_as_it_was():
    torch.manual_seed(0)
    network = HybridUNetTransformer(2, 2, widths=(4, 8), transformer_layers=1, heads=2).eval()
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    cam = grad_cam(network, two_spots(), voxels(HERE), 1, Sliding((8, 8, 8)))
    assert np.isfinite(cam).all()
    assert 0 <= cam.min() <= cam.max() <= 1
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())
    assert all(weights.grad is None for weights in network.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in network.modules())


def test_of_the_stages_that_answer_on_the_coarsest_grid_the_last_counts():
    hybrid = HybridUNetTransformer(1, 1, widths=(4, 4, 8), transformer_layers=1, heads=2)
    assert deepest(hybrid, torch.ones(1, 1, 8, 8, 8)) == "transformer"
    plain = nn.Sequential(nn.Conv3d(1, 2, 2, stride=2), nn.ReLU(), nn.Upsample(scale_factor=2))
    assert deepest(plain, torch.ones(1, 1, 8, 8, 8)) == "1"
    listed = nn.Sequential()
    listed.add_module("levels", nn.Sequential(nn.MaxPool3d(2), nn.Upsample(scale_factor=2)))
    listed.add_module("output", nn.AdaptiveAvgPool3d(1))
    assert deepest(listed, torch.ones(1, 1, 8, 8, 8)) == "levels.0"


def test_of_a_network_made_of_two_the_deepest_stage_of_either_counts():
    part = {"widths": (4, 8), "transformer_layers": 1, "heads": 2}
    network = CoarseToFine(1, 1, coarse=part, fine={**part, "transformer_layers": 0})
    assert deepest(network, torch.ones(1, 1, 8, 8, 8)) == "coarse.transformer"


def test_a_finding_without_voxels_is_a_mistake_of_the_caller(pooled):
    with pytest.raises(ValueError, match="without voxels"):
        grad_cam(pooled(), two_spots(), voxels(), 0, WHOLE)
