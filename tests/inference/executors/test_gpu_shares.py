"""What part of a GPU is asked for, from job to job."""

from __future__ import annotations

import pytest

from inference.executors.gpu_shares import Share


def test_a_whole_one_until_it_is_known() -> None:
    assert Share().wanted == 1.0


@pytest.mark.parametrize(
    ("taken", "wanted"), [(0.01, 0.05), (0.04, 0.05), (0.2, 0.25), (0.4, 0.5), (0.42, 1.0), (0.9, 1.0)]
)
def test_then_what_was_taken_and_a_fifth_more(taken: float, wanted: float) -> None:
    share = Share()
    share.learn(taken)
    assert share.wanted == wanted


def test_the_most_counts() -> None:
    share = Share()
    for taken in (0.1, 0.3, 0.1):
        share.learn(taken)
    assert share.wanted == 0.4


def test_a_whole_one_after_it_was_too_little() -> None:
    share = Share()
    share.learn(0.1)
    share.too_little()
    share.learn(0.1)
    assert share.wanted == 1.0


@pytest.mark.parametrize("fixed", [0.0, 0.3, 1.0])
def test_what_the_settings_say_stays(fixed: float) -> None:
    share = Share(fixed)
    share.learn(0.9)
    assert share.wanted == fixed
