"""A step is shortened by what the worker waited for a processor, and never lengthened."""

from __future__ import annotations

import pytest
from scale.full_size import on_a_processor
from scale.running import walk_of

TOOK = {"routed": 0.5, "read": 2.0, "network": 6.0, "measure": 2.0, "encode": 3.0}


def test_steps_that_got_half_a_processor_would_take_half_as_long():
    halves = {"routed": 0.25, "read": 1.0, "network": 3.0, "measure": 1.0, "encode": 1.5}
    assert on_a_processor(TOOK, workers_s=5.0) == pytest.approx(halves)


def test_steps_that_used_several_processors_take_what_they_took():
    assert on_a_processor(TOOK, workers_s=18.0) == TOOK


def test_a_walk_holds_all_steps_but_the_networks():
    took = {"routed": 0.1, "taken up": 0.2, "read": 1.0, "look": 0.5, "prepare": 2.0, "network": 50.0, "restore": 1.0,
            "measure": 0.25, "encode": 3.0, "store": 0.5, "handed over, stored": 0.25, "delivered": 0.125}  # fmt: skip
    walk = walk_of(took, images=400, sent_s=4.0, result_mb=9.0)
    assert (walk.stages, walk.read, walk.prepare, walk.measure) == pytest.approx((0.3, 1.5, 3.0, 0.25))
    assert (walk.encode, walk.deliver, walk.send, walk.result_mb) == (3.75, 0.125, 4.0, 9.0)


def test_what_a_model_slept_is_no_step():
    took = {"routed": 0.1, "taken up": 0.2, "read": 1.0, "measure": 0.25, "encode": 3.0, "store": 0.5,
            "handed over, stored": 1.75, "delivered": 0.125}  # fmt: skip
    walk = walk_of(took, images=20, sent_s=4.0, slept_s=1.5)
    assert (walk.prepare, walk.encode) == (0.0, 3.75)
