"""DeepLabv3+ sees one grid with several reaches and adds fine features at a quarter of the grid."""

import pytest
import torch

from inference.networks.deeplabv3plus import AtrousPyramid, DeepLabV3Plus
from inference.networks.resnet import ResNetEncoder

WIDTHS = (4, 4, 4, 8, 16)


def test_the_pyramid_reaches_as_far_as_its_rates():
    torch.manual_seed(0)
    pyramid = AtrousPyramid(2, 3, 2, rates=(2, 5)).eval()
    assert [branch[0].dilation for branch in pyramid.branches] == [(1, 1), (2, 2), (5, 5)]
    torch.nn.init.zeros_(pyramid.whole[0].weight)  # the branch that sees all
    x = torch.randn(1, 2, 15, 15, requires_grad=True)
    pyramid(x)[0, :, 7, 7].sum().backward()
    rows, columns = x.grad.abs().sum((0, 1)).nonzero(as_tuple=True)
    steps = {(int(row) - 7, int(column) - 7) for row, column in zip(rows, columns, strict=True)}
    assert steps == {(a, b) for rate in (2, 5) for a in (-rate, 0, rate) for b in (-rate, 0, rate)}


def test_the_whole_image_is_one_branch():
    torch.manual_seed(0)
    pyramid = AtrousPyramid(2, 3, 2, rates=(1,)).eval()
    x = torch.randn(1, 2, 15, 15)
    far = x.clone()
    far[..., 14, 14] += 10
    assert not torch.allclose(pyramid(x)[..., 0, 0], pyramid(far)[..., 0, 0])


def test_a_single_patch_can_be_trained_on():
    """The branch of the whole has one value then, over which no normalisation can be taken."""
    network = DeepLabV3Plus(1, 1, dimensions=2, widths=WIDTHS)
    network(torch.randn(1, 1, 32, 32)).sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_fine_features_join_at_a_quarter_and_coarse_ones_at_a_sixteenth_of_the_grid():
    network = DeepLabV3Plus(1, 2, dimensions=3, widths=WIDTHS).eval()
    sizes = {}
    network.detail.register_forward_hook(lambda _m, _i, features: sizes.update(fine=features.shape[2]))
    network.pyramid.register_forward_hook(lambda _m, _i, features: sizes.update(coarse=features.shape[2]))
    with torch.inference_mode():
        network(torch.randn(1, 1, 32, 32, 32))
    assert sizes == {"fine": 8, "coarse": 2}


@pytest.mark.parametrize("dimensions", [2, 3])
def test_it_is_as_large_as_its_formula(dimensions):
    """With the article's 256 and 48 channels in pyramid and decoder."""
    with torch.device("meta"):
        network = DeepLabV3Plus(3, 2, dimensions=dimensions)
        encoder = ResNetEncoder(3, dimensions=dimensions)
    k = 3**dimensions
    pyramid = 512 * 256 + 512 + 3 * (k * 512 * 256 + 512) + (512 * 256 + 256) + (5 * 256 * 256 + 512)
    decoder = (64 * 48 + 96) + (k * (256 + 48) * 256 + 512) + (k * 256 * 256 + 512) + (256 * 2 + 2)
    expected = sum(weights.numel() for weights in encoder.parameters()) + pyramid + decoder
    assert sum(weights.numel() for weights in network.parameters()) == expected


def test_other_numbers_of_widths_are_refused():
    with pytest.raises(ValueError, match="a stem and 4 stages, not 3"):
        DeepLabV3Plus(1, 1, widths=(4, 4, 4))
