"""Cross entropy + Dice: 0 for a perfect answer, more the worse it is."""

import pytest
import torch

from inference.networks.coarse_to_fine import Windowed, cut
from inference.recipe import Output, Region
from inference.training.losses import HybridLoss

REGIONS = [Region(name="whole", label=2, members=[1, 2]), Region(name="core", label=1, members=[1])]
CLASSES = [Region(name="organ", label=1, members=[1]), Region(name="tumour", label=2, members=[2])]


@pytest.fixture(params=["sigmoid", "softmax"])
def loss(request) -> HybridLoss:
    return HybridLoss(Output(activation=request.param, regions=REGIONS if request.param == "sigmoid" else CLASSES))


@pytest.fixture
def labels() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randint(0, 3, (2, 6, 6, 6), dtype=torch.uint8)


def test_a_perfect_answer_costs_nothing_and_worse_ones_more(loss, labels):
    target = loss.target(labels)
    costs = [float(loss((2 * target - 1) * sure, labels)) for sure in (20, 2, 0, -2)]
    assert costs[0] == pytest.approx(0, abs=0.01)
    assert costs == sorted(costs)


def test_channels_cover_their_members():
    labels = torch.tensor([[[0, 1, 2]]], dtype=torch.uint8)
    sigmoid = HybridLoss(Output(activation="sigmoid", regions=REGIONS)).target(labels)
    softmax = HybridLoss(Output(activation="softmax", regions=CLASSES)).target(labels)
    assert sigmoid[0, :, 0].tolist() == [[0, 1, 1], [0, 1, 0]]
    assert softmax[0, :, 0].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_a_batch_without_tumour_asks_for_nothing_impossible(loss):
    empty = torch.zeros(2, 4, 4, 4, dtype=torch.uint8)
    assert float(loss((2 * loss.target(empty) - 1) * 20, empty)) == pytest.approx(0, abs=0.01)


def test_it_can_be_learned_from(loss, labels):
    logits = torch.zeros_like(loss.target(labels), requires_grad=True)
    loss(logits, labels).backward()
    with torch.no_grad():
        assert float(loss(logits - 50 * logits.grad, labels)) < float(loss(logits, labels))


def test_entropy_can_weigh_more_than_dice(labels):
    output = Output(activation="sigmoid", regions=REGIONS)
    plain, heavier = (HybridLoss(output, entropy_weight=weight) for weight in (1.0, 3.0))
    logits = torch.zeros_like(plain.target(labels))
    assert float(heavier(logits, labels) - plain(logits, labels)) == pytest.approx(2 * 0.6931, abs=1e-3)


def test_a_weight_of_nothing_leaves_a_part_out(labels):
    output = Output(activation="sigmoid", regions=REGIONS)
    torch.manual_seed(1)
    logits = torch.randn(2, 2, 6, 6, 6)
    both, entropy, dice = (float(HybridLoss(output, *weights)(logits, labels)) for weights in ((1, 1), (1, 0), (0, 1)))
    assert both == pytest.approx(entropy + dice, rel=1e-5)
    target = HybridLoss(output).target(labels)
    assert entropy == pytest.approx(float(torch.nn.functional.binary_cross_entropy(logits.sigmoid(), target)), rel=1e-4)
    assert 0 < dice < 1


def test_coarser_levels_count_half_as_much_each(loss, labels):
    channels = loss.target(labels).shape[1]
    torch.manual_seed(1)
    fine, coarse = torch.randn(2, channels, 6, 6, 6), torch.randn(2, channels, 3, 3, 3)
    seen = labels[:, ::2, ::2, ::2]
    expected = (float(loss(fine, labels)) + 0.5 * float(loss(coarse, seen))) / 1.5
    assert float(loss((fine, coarse), labels)) == pytest.approx(expected, rel=1e-5)


def test_a_window_is_judged_by_the_truth_inside_it(loss, labels):
    target = loss.target(labels)
    starts = torch.tensor([[0, 1, 2], [2, 0, 1]])
    right = cut(20 * (2 * target - 1), starts, (4, 4, 4))
    coarse = 20 * (2 * target[:, :, ::2, ::2, ::2] - 1)
    assert float(loss(Windowed(right, coarse, starts), labels)) == pytest.approx(0, abs=0.01)
    half_wrong = float(loss(Windowed(right, -coarse, starts), labels))
    wrong = float(loss(Windowed(-right, coarse, starts), labels))
    assert wrong > half_wrong > 1, "and the coarser answer counts half"
