"""Thresholds and peaks are chosen by validation cases, region by region."""

import numpy as np
import pytest

from inference.recipe import Output, Region
from inference.training.cases import Case
from inference.training.validation import calibrate, look, mean_dice

NODULE = Output(activation="sigmoid", regions=(Region(name="nodule", label=1, members=(1,)),))


def case(truth: np.ndarray) -> Case:
    return Case(0, np.zeros((1, *truth.shape), np.float16), truth, np.ones(truth.shape, bool), {})


@pytest.fixture
def pair():
    """A case with a true find and one with a false find, of which the network is less sure."""
    truth = np.zeros((8, 8, 8), np.uint8)
    truth[2:6, 2:6, 2:6] = 1
    right = np.where(truth, 0.97, 0.1).astype(np.float16)[None]
    wrong = np.full((1, 8, 8, 8), 0.1, np.float16)
    wrong[0, 3:6, 3:6, 3:6] = 0.85
    return [right, wrong], [case(truth), case(np.zeros_like(truth))]


def test_a_peak_parts_true_from_false_finds(pair, settings):
    seen, cases = pair
    assert mean_dice(seen, cases, settings()) == {"nodule": 0.5}
    output = calibrate(seen, cases, NODULE)
    assert output.regions[0].threshold == 0.5
    assert output.regions[0].peak == 0.9
    assert mean_dice(seen, cases, settings(output=output.model_dump())) == {"nodule": 1.0}


def test_a_network_that_is_never_sure_gets_a_lower_threshold(pair):
    truth = pair[1][0]
    seen = [np.where(truth.labels, 0.45, 0.1).astype(np.float16)[None]]
    assert calibrate(seen, [truth], NODULE).regions[0].threshold == 0.3


def test_dice_is_given_for_a_lower_threshold_where_that_is_asked_for(pair):
    truth = pair[1][0].labels
    seen = np.where(truth, 0.97, 0.1)
    seen[1, 2:6, 2:6] = 0.25  # a quarter of what is there, beside it
    cases, seen = [pair[1][0]], [seen.astype(np.float16)[None]]
    assert calibrate(seen, cases, NODULE, {"nodule": 0.05}).regions[0].threshold == 0.3
    assert calibrate(seen, cases, NODULE, {"nodule": 0.2}).regions[0].threshold == 0.2


def test_what_brings_nothing_is_left_as_it_is(pair):
    seen, cases = pair
    assert calibrate(seen[:1], cases[:1], NODULE) == NODULE


def test_a_channel_that_is_left_out_keeps_its_place_and_is_as_it_was(pair):
    seen, cases = pair
    helper = Region(name="helper", label=0, members=(1,))
    output = Output(activation="sigmoid", regions=(helper, *NODULE.regions))
    both = [np.concatenate([1 - chances, chances]) for chances in seen]
    assert calibrate(both, cases, output).regions == (helper, *calibrate(seen, cases, NODULE).regions)


def test_classes_need_no_threshold(pair):
    seen, cases = pair
    classes = NODULE.model_copy(update={"activation": "softmax"})
    assert calibrate(seen, cases, classes) is classes


def test_a_look_answers_with_probabilities_and_none_outside_the_region(settings):
    shown = case(np.zeros((24, 24, 24), np.uint8))
    shown.foreground[:, :, :5] = False
    chances = look(settings().network.build(1, 1), shown, settings(), "cpu")
    assert chances.dtype == np.float16
    assert chances.shape == (1, 24, 24, 24)
    assert (chances[0, :, :, :5] == 0).all()
    assert 0 < chances.max() < 1
