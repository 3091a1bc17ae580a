"""Seconds are counted by step, those of a step that comes again together, and those of one that fails."""

import pytest

from inference.stopwatch import Stopwatch


def test_seconds_of_a_step_add_up(monkeypatch):
    clock = iter([0.0, 2.0, 10.0, 11.0, 20.0, 25.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    watch = Stopwatch()
    for step in ("network", "restore", "network"):
        with watch.time(step):
            pass
    assert watch.seconds == {"network": 7.0, "restore": 1.0}


def test_a_step_that_fails_is_counted():
    watch = Stopwatch()
    with pytest.raises(ValueError, match="broken"), watch.time("network"):
        raise ValueError("broken")
    assert watch.seconds["network"] >= 0
