"""SegResNet under our constructor, with names that public weights fit."""

import torch
from monai.networks.nets import SegResNet as MonaiSegResNet

from inference.networks.segresnet import SegResNet


def test_the_published_brats_configuration_has_the_published_size():
    with torch.device("meta"):
        network = SegResNet(4, 3, width=16, dropout=0.2)
    assert round(sum(weights.numel() for weights in network.parameters()) / 1e6, 1) == 4.7


def test_weights_of_monais_own_class_fit_and_mean_the_same():
    torch.manual_seed(0)
    theirs = MonaiSegResNet(3, 8, 2, 3, blocks_down=(1, 1, 1), blocks_up=(1, 1)).eval()
    ours = SegResNet(2, 3, width=8, blocks=(1, 1, 1)).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 2, 8, 8, 8)
    assert torch.equal(ours(x), theirs(x))


def test_a_width_that_eight_groups_do_not_divide_gets_fewer():
    assert SegResNet(1, 1, width=12, blocks=(1, 1)).conv_final[0].num_groups == 4


def test_channels_are_dropped_in_training_only():
    torch.manual_seed(0)
    network = SegResNet(1, 1, width=4, blocks=(1, 1), dropout=0.5)
    x = torch.randn(1, 1, 8, 8, 8)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
