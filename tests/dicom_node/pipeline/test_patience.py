"""What a failure costs."""

from __future__ import annotations

import pytest

from dicom_node.pipeline.backoff import Backoff
from dicom_node.pipeline.patience import Patience

PATIENCE = Patience(retry=Backoff(10, 100, 12), pause=Backoff(30, 600, 12), down_after=3)


@pytest.mark.parametrize(("faults", "seconds"), [(0, 10), (1, 20), (2, 40), (9, 100)])
def test_a_delivery_waits_longer_for_each_failure_of_its_own(faults: int, seconds: float) -> None:
    assert 0.75 * seconds <= PATIENCE.retry_s(faults) <= 1.25 * seconds


@pytest.mark.parametrize(("failures", "seconds"), [(3, 30), (4, 60), (7, 480), (8, 600), (4000, 600)])
def test_the_first_pause_is_the_shortest_and_none_is_endless(failures: int, seconds: float) -> None:
    assert 0.75 * seconds <= PATIENCE.pause_s(failures) <= 1.25 * seconds


def test_those_that_fail_together_do_not_come_again_together() -> None:
    assert len({PATIENCE.retry_s(0) for _ in range(20)}) > 10
    assert len({PATIENCE.pause_s(3) for _ in range(20)}) > 10
