"""Studies as the console and the API show them."""

from __future__ import annotations

import json

import pytest

from dicom_node.assembly import Parts
from dicom_node.study_views import (
    BadCursor,
    Looking,
    Wished,
    deliveries_page,
    read_cursor,
    studies_page,
    whole_study,
)
from storage.lifecycle import DeliveryState
from storage.search import Sought

SHOWN, MASKED = Looking(1000.0, names=True), Looking(1000.0)
WHO = ("Doe", "Jane", "P-17", "19700101")


def test_a_page_says_where_the_next_begins(story: Parts) -> None:
    with story.database.reading() as tx:
        first = studies_page(tx, Sought(limit=1), SHOWN)
        second = studies_page(tx, Sought(limit=1, after=read_cursor(first["next"])), SHOWN)
    assert [one["study"] for one in (*first["studies"], *second["studies"])] == ["1.2.4", "1.2.3"]
    assert second["next"] is None


@pytest.mark.parametrize("cursor", ["", "x", "~1.2", "1.0.0~1.2"])
def test_a_cursor_that_is_none_of_ours_is_told(cursor: str) -> None:
    with pytest.raises(BadCursor, match="begin at the first page"):
        read_cursor(cursor)


def test_who_may_is_shown_whose_they_are_and_finds_by_it(story: Parts) -> None:
    with story.database.reading() as tx:
        (one, _) = studies_page(tx, Sought(words="jane"), SHOWN)["studies"]
        view = whole_study(tx, "1.2.3", SHOWN)
    assert one["patient"]["name"] == view["patient"]["name"] == "Doe, Jane"
    assert (one["modalities"], one["series"], one["time_to_result_s"]) == (["[CT]"], 1, None)
    assert [step["step"] for step in view["timeline"]][:3] == ["received", "complete", "routed"]


def test_who_may_not_is_told_nothing_of_it_and_finds_nothing_by_it(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.journal.add(131.0, "note", "the PACS says: unknown patient Doe^Jane (P-17)", study="1.2.3")
    with story.database.reading() as tx:
        assert studies_page(tx, Sought(words="jane"), MASKED)["studies"] == []
        views = [studies_page(tx, Sought(), MASKED), whole_study(tx, "1.2.3", MASKED),
                 deliveries_page(tx, Wished(), MASKED)]
        assert "Doe" in json.dumps(whole_study(tx, "1.2.3", SHOWN))
    for view in views:
        assert not [word for word in WHO if word in json.dumps(view)]


def test_deliveries_come_a_page_at_a_time_too(story: Parts) -> None:
    with story.database.reading() as tx:
        first = deliveries_page(tx, Wished(limit=2), SHOWN)
        rest = deliveries_page(tx, Wished(before=first["next"]), SHOWN)
        dead = deliveries_page(tx, Wished((DeliveryState.DEAD,)), SHOWN)
    assert [one["destination"] for one in (*first["deliveries"], *rest["deliveries"])] == ["sent", "dead", "held"]
    assert rest["next"] is None
    assert [one["destination"] for one in dead["deliveries"]] == ["dead"]
