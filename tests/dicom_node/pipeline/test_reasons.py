"""Every error that ends an attempt has a word of its own kind."""

from __future__ import annotations

import pytest

from dicom_node.errors import NotOffered, Rejected, Unfinished, Unreachable
from dicom_node.pipeline.reasons import reason_of
from inference.errors import BadGeometry, Exhausted, ModelError, Unfit, WorkerDied
from storage.errors import Unavailable


@pytest.mark.parametrize(("error", "reason"), [
    (Unfit("x"), "unfit"), (BadGeometry("x"), "bad_geometry"), (ModelError("x"), "model"),
    (Exhausted("x"), "out_of_memory"), (WorkerDied("x"), "worker_died"),
    (WorkerDied("x", timed_out=True), "time_limit"), (WorkerDied("x", stopped=True), "stopped"),
    (Unreachable("x"), "unreachable"), (Unfinished("x"), "unfinished"), (Rejected("x"), "rejected"),
    (NotOffered("x"), "not_offered"), (Unavailable("x"), "storage"), (ValueError("Doe^Jane"), "other"),
])
def test_the_word(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
