"""A step is shortened by what the worker waited for a processor, and never lengthened."""

from __future__ import annotations

import pytest
from scale.full_size import on_a_processor

TOOK = {"routed": 0.5, "read": 2.0, "network": 6.0, "measure": 2.0, "encode": 3.0}


def test_steps_that_got_half_a_processor_would_take_half_as_long():
    halves = {"routed": 0.25, "read": 1.0, "network": 3.0, "measure": 1.0, "encode": 1.5}
    assert on_a_processor(TOOK, workers_s=5.0) == pytest.approx(halves)


def test_steps_that_used_several_processors_take_what_they_took():
    assert on_a_processor(TOOK, workers_s=18.0) == TOOK
