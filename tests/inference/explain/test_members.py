"""Members' probabilities are averaged, their agreement is counted pair by pair, and flips are undone exactly."""

from itertools import combinations

import numpy as np
import pytest

from inference.errors import ModelError
from inference.explain.members import consensus, flipped, flips, in_words, pairwise_dice
from inference.findings import Agreement
from inference.recipe import Output, Region

NESTED = Output(activation="sigmoid", regions=[
    Region(name="organ", label=1, members=[1, 2]), Region(name="tumour", label=2, members=[2], threshold=0.3)])
CLASSES = NESTED.model_copy(update={"activation": "softmax"})
SHAPE = (4, 5, 6)


def drawn(channels: int, seed: int) -> np.ndarray:
    chances = np.random.default_rng(seed).random((channels, *SHAPE)).astype(np.float32)
    return chances / chances.sum(axis=0) if channels == 3 else chances


def counted(one: np.ndarray, other: np.ndarray) -> float:
    """Dice, voxel by voxel."""
    both = sum(bool(one[at] and other[at]) for at in np.ndindex(one.shape))
    return 2 * both / (sum(map(bool, one.ravel())) + sum(map(bool, other.ravel())))


def test_the_mean_is_that_of_all_members():
    members = [drawn(2, seed) for seed in range(3)]
    kept = [member.copy() for member in members]
    found = consensus(iter(members), NESTED)
    assert found.mean == pytest.approx(np.mean(kept, axis=0), abs=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(members, kept, strict=True)), "members are left as they are"


@pytest.mark.parametrize(("output", "channels"), [(NESTED, 2), (CLASSES, 3)], ids=["sigmoid", "softmax"])
def test_agreement_is_a_count_over_every_pair(output, channels):
    members = [drawn(channels, seed) for seed in range(4)]
    if output is NESTED:
        masks = {"organ": [m[0] > 0.5 for m in members], "tumour": [m[1] > 0.3 for m in members]}
    else:
        masks = {"organ": [m.argmax(axis=0) == 1 for m in members], "tumour": [m.argmax(axis=0) == 2 for m in members]}
    agreement = consensus(members, output).agreement
    assert agreement.members == 4
    for name, several in masks.items():
        expected = np.mean([counted(one, other) for one, other in combinations(several, 2)])
        assert agreement.dice[name] == pytest.approx(expected)


@pytest.mark.parametrize("output", [NESTED, CLASSES], ids=["sigmoid", "softmax"])
def test_regions_that_are_left_out_are_not_asked_about(output):
    first, second = output.regions
    without = output.model_copy(update={"regions": (first.model_copy(update={"label": 0}), second)})
    members = [drawn(3 if output is CLASSES else 2, seed) for seed in range(2)]
    whole = consensus(members, output).agreement
    assert consensus(members, without).agreement.dice == {"tumour": whole.dice["tumour"]}


def test_one_member_agrees_with_nobody():
    alone = drawn(2, 0)
    found = consensus([alone], NESTED)
    assert found.mean is alone
    assert found.agreement is None


@pytest.mark.parametrize("broken", [0, 1], ids=["the first", "a later one"])
def test_an_answer_that_is_no_number_is_not_taken_for_nothing_found(broken):
    members = [drawn(2, seed) for seed in range(2)]
    members[broken][1, 2, 3, 4] = np.nan
    with pytest.raises(ModelError, match="NaN"):
        consensus(members, NESTED)
    with pytest.raises(ModelError, match="NaN"):
        consensus([members[broken]], NESTED)


def test_each_member_decides_by_its_own_peak():
    sure = Output(activation="sigmoid", regions=[Region(name="nodule", label=1, members=[1], peak=0.9)])
    first, second = np.zeros((1, *SHAPE), np.float32), np.zeros((1, *SHAPE), np.float32)
    first[0, 1:3, 1:3, 1:3], second[0, 1:3, 1:3, 1:3] = 0.95, 0.85
    assert consensus([first, second], sure).agreement.dice == {"nodule": 0.0}
    assert consensus([first, first], sure).agreement.dice == {"nodule": 1.0}


def test_masks_that_are_empty_agree():
    empty, full = np.zeros(SHAPE, bool), np.ones(SHAPE, bool)
    assert pairwise_dice([empty, empty]) == 1.0
    assert pairwise_dice([empty, full, full]) == pytest.approx(1 / 3)


def test_every_set_of_axes_is_a_pass_and_the_plain_one_comes_first():
    assert list(flips(())) == [()]
    assert list(flips(("x", "y"))) == [(), (2,), (1,), (2, 1)]
    assert len(list(flips("xyz"))) == 8


@pytest.mark.parametrize("axes", list(flips("xyz")))
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 5)], ids=["map", "channels"])
def test_a_flip_turns_the_axes_that_it_names_and_twice_is_as_it_was(axes, shape):
    array = np.arange(np.prod(shape)).reshape(shape)
    turned = flipped(array, axes)
    place = np.array([1, 2, 3])
    mirrored = [size - 1 - at if axis in axes else at
                for axis, (size, at) in enumerate(zip(shape[-3:], place, strict=True))]
    assert np.array_equal(turned[(..., *mirrored)], array[(..., *place)])
    assert np.array_equal(flipped(turned, axes), array)


def test_the_sentence_says_what_is_little():
    said = in_words(Agreement(4, {"liver": 0.981, "liver tumour": 0.61}))
    assert said.startswith("Agreement of 4 runs of the model (mean pairwise Dice, 1 at best): liver 0.98, liver")
    assert said.endswith("That is little for liver tumour: look with care.")
    assert "little" not in in_words(Agreement(2, {"liver": 0.95}))
