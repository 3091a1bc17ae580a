"""How the node fares, put together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from listening import asked
from mount import unmounted

from dicom_node.assembly import Parts
from dicom_node.views.status import node_status, today_view
from storage.lifecycle import DeliveryState


def test_a_short_disk_needs_a_person_first(story: Parts, monkeypatch) -> None:
    monkeypatch.setattr(type(story.archive), "free_bytes", lambda _: 1_000_000)
    with story.database.reading() as tx:
        needs = node_status(story, tx, 1000.0)["needs_a_person"]
    assert needs[0].startswith("disk full")
    assert any(line.startswith("1 job failed") for line in needs)


def test_an_archive_that_is_away_needs_a_person_first(story: Parts) -> None:
    """That all is refused is seen nowhere else: the disk in its place has room."""
    with unmounted(story.archive.root), story.database.reading() as tx:
        view = node_status(story, tx, 1000.0)
    assert view["needs_a_person"][0].startswith("nothing is taken: ")
    assert "is its file system mounted" in view["needs_a_person"][0]
    assert view["free_bytes"] == 0


def test_today_begins_at_midnight_here(story: Parts) -> None:
    noon = datetime(2026, 3, 1, 12).astimezone().timestamp()
    with story.database.reading() as tx:
        assert today_view(tx, noon, 900.0)["studies"] == 0
        today = today_view(tx, 1000.0, 15.0)
    assert (today["studies"], today["results"], today["failed"], today["delivered"]) == (2, 1, 1, 1)
    assert (today["median_s"], today["within_goal"]) == (32.0, 0)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("day", "hours"), [(28, 20), (29, 19), (30, 20)])
@pytest.mark.usefixtures("berlin")
def test_also_on_the_day_on_which_the_clocks_change(story: Parts, day: int, hours: int) -> None:
    evening = datetime(2026, 3, day, 20).astimezone().timestamp()
    with story.database.reading() as tx:
        assert evening - today_view(tx, evening, 900.0)["since"] == hours * 3600


def test_it_asks_as_often_of_a_full_node_as_of_an_empty_one(story: Parts) -> None:
    numbers = []
    for _ in range(2):
        with story.database.reading() as tx, asked(story.database) as statements:
            node_status(story, tx, 1000.0, 500)
            today_view(tx, 1000.0, 15.0)
        numbers.append(len(statements))
        with story.database.transaction() as tx:
            for number in range(9):
                tx.deliveries.add("job-0", "1.2.3", f"place-{number}", DeliveryState.PENDING, 130.0)
    assert numbers[0] == numbers[1] - 1 <= 15  # how its destinations fare is asked where something waits
