"""What the network got wrong while it learnt is shown again until it is right; the oldest places are forgotten."""

import numpy as np
import pytest
import torch

from inference.training.cases import Case
from inference.training.replay import Replay, went_wrong

SURE = 9.0


@pytest.fixture
def case() -> Case:
    empty = np.zeros((20, 20, 20), np.uint8)
    return Case(3, np.zeros((1, *empty.shape), np.float16), empty, empty == 0, {})


@pytest.fixture
def output(settings):
    return settings().output


def patch(*found: slice) -> torch.Tensor:
    """Logits (channel, z, y, x) that find cubes along the diagonal."""
    logits = torch.full((1, 16, 16, 16), -SURE)
    for part in found:
        logits[0, part, part, part] = SURE
    return logits


def labels(*there: slice) -> torch.Tensor:
    truth = torch.zeros((16, 16, 16), dtype=torch.uint8)
    for part in there:
        truth[part, part, part] = 1
    return truth


NEAR, FAR, TINY = slice(2, 5), slice(10, 13), slice(7, 8)


@pytest.mark.parametrize(("found", "there", "wrong"), [
    ((), (), False),
    ((NEAR,), (NEAR,), False),
    ((slice(3, 8),), (NEAR,), False),  # half right is right
    ((NEAR,), (), True),
    ((), (NEAR,), True),
    ((NEAR, FAR), (NEAR,), True),
    ((NEAR,), (NEAR, FAR), True),
    ((TINY,), (), False),
])  # fmt: skip
def test_a_false_find_and_a_missed_one_are_wrong(output, found, there, wrong):
    assert went_wrong(patch(*found), labels(*there), output, {1}) is wrong


def test_what_is_no_lesion_does_not_count(output):
    assert not went_wrong(patch(NEAR), labels(), output, {2})


def test_a_place_stays_until_it_is_right(case, settings):
    replay = Replay([case, case], settings(replayed=5))
    place = np.array([4, 5, 6], np.int16)
    replay.learnt(case, place, patch(NEAR), labels())
    chosen, where = replay.choose(np.random.default_rng(0))
    assert chosen is case
    assert where.tolist() == [4, 5, 6]
    replay.learnt(case, place, patch(), labels())
    assert len(replay) == 0


def test_the_oldest_mistakes_are_forgotten_first(case, settings):
    replay = Replay([case], settings(replayed=2))
    for z in (1, 2, 1, 3):
        replay.learnt(case, np.array([z, 0, 0], np.int16), patch(NEAR), labels())
    assert replay.state()[:, 1].tolist() == [1, 3]
    again = Replay([case], settings(replayed=2))
    again.restore(replay.state())
    assert torch.equal(again.state(), replay.state())


def test_nothing_is_kept_unless_asked_for(case, settings):
    replay = Replay([case], settings())
    replay.learnt(case, np.array([1, 2, 3], np.int16), patch(NEAR), labels())
    assert len(replay) == 0
