"""Places where the network was wrong: found where nothing is, missed where something is, not where it is half right."""

import numpy as np
import pytest

from inference.training import mining
from inference.training.cases import Case
from inference.training.mining import HardPlaces


@pytest.fixture
def case() -> Case:
    """Two nodules; the network will find one of them, half, and something else."""
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:5, 2:5, 2:5] = 1
    labels[12:16, 12:16, 12:16] = 1
    return Case(3, np.zeros((1, *labels.shape), np.float16), labels, np.ones(labels.shape, bool), {})


@pytest.fixture
def seen(case, monkeypatch):
    chances = np.zeros((1, *case.labels.shape), np.float16)
    chances[0, 12:14, 12:16, 12:16] = 0.8
    chances[0, 2:4, 15:18, 15:18] = 0.4
    asked = []

    def look(_network, asked_case, _settings, _device):
        asked.append(asked_case.seed)
        return chances

    monkeypatch.setattr(mining, "look", look)
    return asked


def test_a_false_and_a_missed_find_are_hard_and_a_half_right_one_is_not(case, seen, settings):
    hard = HardPlaces([case], settings(mined_cases=1))
    assert len(hard) == 0
    hard.mine(None, "cpu")
    assert len(hard) == 2
    rng = np.random.default_rng(0)
    chosen = {tuple(int(v) for v in hard.choose(rng)[1]) for _ in range(40)}
    assert {case.labels[place] for place in chosen} == {0, 1}
    assert all(place[0] < 5 for place in chosen)


def test_cases_take_turns_and_a_new_look_replaces_the_old(case, seen, settings):
    hard = HardPlaces([case, case, case], settings(mined_cases=2))
    for _ in range(3):
        hard.mine(None, "cpu")
    assert len(seen) == 6
    assert hard.next == 0
    assert len(hard) == 6


def test_a_checkpoint_keeps_the_places(case, seen, settings):
    hard = HardPlaces([case, case], settings(mined_cases=1))
    hard.mine(None, "cpu")
    again = HardPlaces([case, case], settings(mined_cases=1))
    again.restore(hard.state())
    assert (again.next, len(again)) == (1, 2)
    assert np.array_equal(again.places[0], hard.places[0])


def test_nothing_is_looked_at_unless_asked_for(case, seen, settings):
    hard = HardPlaces([case], settings())
    hard.mine(None, "cpu")
    assert seen == []
    assert len(hard) == 0
