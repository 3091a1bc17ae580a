"""nnU-Net's network, from a plan."""

import pytest
import torch
from monai.networks.nets import DynUNet as MonaiDynUNet

from inference.networks.dynunet import DynUNet
from inference.networks.dynunet_plan import plan

SMALL = {"kernels": (3, 3, 3), "strides": (1, 2, 2), "widths": (4, 4, 8)}


def test_the_plan_of_a_patch_runs_on_it():
    patch = (8, 32, 32)
    made = plan(patch, (4.0, 1.0, 1.0))
    network = DynUNet(1, 2, kernels=made.kernels, strides=made.strides, widths=(4,) * len(made.strides)).eval()
    assert len(set(network.divisors)) == 2, "z is halved less often"
    assert network(torch.randn(1, 1, *patch)).shape == (1, 2, *patch)


@pytest.mark.parametrize(("dimensions", "widest"), [(2, 512), (3, 320)])
def test_it_is_as_large_as_monais_with_nnu_nets_widths(dimensions, widest):
    widths = [32, 64, 128, 256, widest, widest]
    with torch.device("meta"):
        ours = DynUNet(2, 3, dimensions=dimensions)
        theirs = MonaiDynUNet(dimensions, 2, 3, (3,) * 6, (1, 2, 2, 2, 2, 2), (2, 2, 2, 2, 2), widths)
    assert {n: w.shape for n, w in ours.named_parameters()} == {n: w.shape for n, w in theirs.named_parameters()}


def test_deep_supervision_answers_finest_first_in_training_only():
    torch.manual_seed(0)
    network = DynUNet(1, 2, deep_supervision=True, kernels=(3,) * 4, strides=(1, 2, 2, 2), widths=(4, 4, 4, 4))
    x = torch.randn(1, 1, 16, 16, 16)
    answers = network(x)
    assert [answer.shape for answer in answers] == [(1, 2, 16, 16, 16)] * 3
    blocky = answers[1].unflatten(2, (8, 2))
    assert torch.equal(blocky[:, :, :, 0], blocky[:, :, :, 1]), "half the grid, shown on the whole"
    assert network.eval()(x).shape == (1, 2, 16, 16, 16)


def test_one_voxel_at_the_bottom_is_too_few_for_instance_normalisation():
    network = DynUNet(1, 1, **SMALL)
    with pytest.raises(ValueError, match="longer than its multiple"):
        network(torch.randn(1, 1, 4, 4, 4))
    assert network(torch.randn(1, 1, 4, 4, 8)).shape == (1, 1, 4, 4, 8)


@pytest.mark.parametrize(("changes", "reason"), [
    ({"strides": (1, 2)}, "the same number of each, not 3, 2 and 3"),
    ({"kernels": (3, 3), "strides": (1, 2), "widths": (4, 4)}, "3 or more levels"),
    ({"strides": (2, 2, 2)}, "its stride is 1"),
    ({"strides": (1, (2, 2), 2)}, "3 axes, not 2"),
    ({"dimensions": 4}, "2 or 3 dimensions"),
])
def test_a_plan_that_is_none_is_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        DynUNet(1, 1, **{**SMALL, **changes})
