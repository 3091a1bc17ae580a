"""A person has a model tried: one at a time, and what came of it in words."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest

from dicom_node.assembly import Parts
from dicom_node.configuring.changes import Author
from dicom_node.models.benching import ask, bench_view
from storage.errors import IllegalStep, NotFound
from storage.lifecycle import TrialState

ADA = Author(100.0)
RUN = {"windows": 8, "network_s": 1.0, "peak_mb": 90, "dice_with_fp32": 1.0}
ANSWER = {"device": "cuda:0", "chosen": "bf16", "better": None,
          "runs": [{"precision": "fp32", "seconds": 3.0, **RUN}, {"precision": "bf16", "seconds": 1.5, **RUN}]}


def test_one_at_a_time_and_the_trail_is_told(parts: Parts, audited: Callable[[], list[Element]]) -> None:
    ask(parts, "bright", ADA)
    with pytest.raises(IllegalStep, match=f"one at a time: model bright, which {ADA.name} asked for, is to be tried"):
        ask(parts, "bright", ADA)
    with pytest.raises(NotFound):
        ask(parts, "nobody", ADA)
    names = [one.text for message in audited() for one in message.iter("ParticipantObjectName")]
    assert names.count("urn:segnode:model:bright") == 1


def test_the_last_time_says_how_much_faster_and_how_alike(parts: Parts) -> None:
    assert bench_view(None, 100.0) is None
    ask(parts, "bright", ADA)
    with parts.database.transaction() as tx:
        assert bench_view(tx.benches.newest()["bright"], 101.0)["state"] == "PENDING"
        bench = tx.benches.claim("me", 101.0, 60.0)
        assert bench_view(tx.benches.newest()["bright"], 102.0)["state"] == "RUNNING"
        tx.benches.end(bench.bench_id, "me", TrialState.DONE, 110.0, answer=ANSWER)
        view = bench_view(tx.benches.newest()["bright"], 200.0)
    assert (view["state"], view["at"], view["device"], view["chosen"]) == ("DONE", 110.0, "cuda:0", "bf16")
    assert [run["ratio"] for run in view["runs"]] == [1.0, 2.0]
