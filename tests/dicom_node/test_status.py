"""How the node fares, put together."""

from __future__ import annotations

from datetime import datetime

from dicom_node.assembly import Parts
from dicom_node.status import node_status, today_view


def test_a_short_disk_needs_a_person_first(story: Parts, monkeypatch) -> None:
    monkeypatch.setattr(type(story.archive), "free_bytes", lambda _: 1_000_000)
    with story.database.reading() as tx:
        needs = node_status(story, tx, 1000.0)["needs_a_person"]
    assert needs[0].startswith("disk full")
    assert any(line.startswith("1 job failed") for line in needs)


def test_today_begins_at_midnight_here(story: Parts) -> None:
    noon = datetime(2026, 3, 1, 12).astimezone().timestamp()
    with story.database.reading() as tx:
        assert today_view(tx, noon, 900.0)["studies"] == 0
        today = today_view(tx, 1000.0, 15.0)
    assert (today["studies"], today["results"], today["failed"], today["delivered"]) == (2, 1, 1, 1)
    assert (today["median_s"], today["within_goal"]) == (32.0, 0)
