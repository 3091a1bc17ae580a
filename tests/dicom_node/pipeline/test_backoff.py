"""Waiting doubles, up to a limit, and is spread."""

import pytest

from dicom_node.pipeline.backoff import Backoff


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 100), (60, 100)])
def test_backoff_doubles_to_its_limit(attempt: int, seconds: float) -> None:
    backoff = Backoff(base_s=10, max_s=100, attempts=99)
    assert backoff.wait_s(attempt, 0.5) == seconds
    assert backoff.wait_s(attempt, 0.0) == 0.75 * seconds
    assert backoff.wait_s(attempt, 1.0) == 1.25 * seconds
