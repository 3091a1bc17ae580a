"""A temperature makes probabilities as often right as they say, region by region, and nothing where none is needed."""

import logging

import numpy as np
import pytest
from scipy.special import expit

from inference.recipe import Output, Region
from inference.training.calibration import tally, tempered
from inference.training.cases import Case

NODULE = Output(activation="sigmoid", regions=(Region(name="nodule", label=1, members=(1,)),))
SHAPE = (16, 32, 32)


def case(truth: np.ndarray) -> Case:
    return Case(0, np.zeros((1, *truth.shape), np.float16), truth.astype(np.uint8), np.ones(truth.shape, bool), {})


def boasting(factor: float, seed: int = 0) -> tuple[np.ndarray, Case]:
    """Logits `factor` times as large as they should be, and a truth that was drawn by what they should be."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(-1.0, 2.0, SHAPE)
    truth = rng.random(SHAPE) < expit(honest)
    return (honest * factor)[None].astype(np.float16), case(truth)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_logits_that_are_too_large_or_small_are_put_right(factor, caplog):
    logits, shown = boasting(factor)
    with caplog.at_level(logging.INFO):
        (region,) = tempered([logits], [shown], NODULE).regions
    assert region.temperature == pytest.approx(factor, rel=0.06)
    counted = tally([(logits[0], shown)], region)
    assert counted.error(region.temperature) < 0.02 < counted.error(1.0)
    assert "nodule: temperature" in caplog.text
    assert "calibration error" in caplog.text


def test_logits_that_are_honest_stay():
    logits, shown = boasting(1.0)
    assert tempered([logits], [shown], NODULE) == NODULE


def test_the_error_and_the_cross_entropy_are_those_of_a_count_voxel_by_voxel():
    logits, shown = boasting(2.0)
    counted = tally([(logits[0], shown)], NODULE.regions[0])
    raw, inside = logits[0].astype(float).ravel(), shown.labels.ravel() == 1
    chance = expit(raw / 1.5)
    entropy = -np.mean(np.where(inside, np.log(chance), np.log(1 - chance)))
    assert counted.cross_entropy(1.5) == pytest.approx(entropy, rel=1e-3)
    suspected = expit(raw) >= 0.01
    bins = np.minimum((chance * 15).astype(int), 14)
    gaps = [abs(np.sum((inside - chance)[suspected & (bins == n)])) for n in range(15)]
    assert counted.error(1.5) == pytest.approx(sum(gaps) / suspected.sum(), abs=3e-3)


def test_each_region_has_its_own_and_voxels_outside_the_region_of_interest_say_nothing():
    (first, shown), (second, other) = boasting(2.0), boasting(1.0, seed=1)
    labels = shown.labels + 2 * other.labels
    both = case(labels)
    both.foreground[8:] = False
    output = Output(activation="sigmoid", regions=(
        Region(name="a", label=1, members=(1, 3)), Region(name="b", label=2, members=(2, 3))))
    logits = np.concatenate([first, second])
    logits[:, 8:] = 9.0
    assert [r.temperature for r in tempered([logits], [both], output).regions] == [pytest.approx(2.0, rel=0.1), 1.0]


def test_a_channel_that_is_left_out_keeps_its_place_and_is_as_it_was():
    (first, _), (second, shown) = boasting(1.0, seed=1), boasting(3.0)
    helper = Region(name="helper", label=0, members=(1,))
    output = Output(activation="sigmoid", regions=(helper, *NODULE.regions))
    found = tempered([np.concatenate([first, second])], [shown], output).regions
    assert [(region.name, region.temperature) for region in found] == [
        ("helper", 1.0), ("nodule", pytest.approx(3.0, rel=0.06))]


def test_a_region_that_no_case_shows_teaches_nothing():
    assert tempered([np.full((1, *SHAPE), -3.0, np.float16)], [case(np.zeros(SHAPE))], NODULE) == NODULE


def test_classes_share_their_probabilities():
    classes = NODULE.model_copy(update={"activation": "softmax"})
    assert tempered([], [], classes) is classes
