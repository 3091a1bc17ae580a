"""News as they happen."""

from __future__ import annotations

import json
from collections.abc import Callable

import anyio
import pytest
from browsing import NOW

from dicom_node.assembly import Parts
from dicom_node.web.changes import News, look, stream
from dicom_node.web.console import Console


@pytest.fixture
def hear(story: Parts, console: Console) -> Callable[..., list[str]]:
    """`hear(after, *happenings)` gives the events that are told while these happen one after the other."""

    def run(after: int | None, *happenings: Callable[[], object]) -> list[str]:
        events: list[str] = []

        async def listen() -> None:
            waiting = list(happenings)
            async for event in stream(console, after, every_s=0.01):
                events.append(event)
                if waiting:
                    waiting.pop(0)()
                else:
                    console.stop.set()

        with anyio.from_thread.start_blocking_portal() as portal:
            portal.call(listen)
        return events

    return run


def data(event: str) -> dict:
    return json.loads(event.partition("data: ")[2])


def test_an_event_names_the_studies_that_changed(story: Parts, hear) -> None:
    def happen() -> None:
        with story.database.transaction() as tx:
            for study in ("1.2.4", "1.2.4", "", "1.2.3"):
                tx.journal.add(NOW, "note", "something", study=study)

    retry, event = hear(None, happen)
    assert retry == "retry: 3000\n\n"
    assert data(event) == {"studies": ["1.2.4", "1.2.3"], "running": []}


def test_how_far_a_job_is_is_news(story: Parts, hear) -> None:
    def happen() -> None:
        with story.database.transaction() as tx:
            tx.jobs.claim("me", NOW, 60.0)
            tx.jobs.renew("job-3", "me", NOW, 60.0, progress=0.4, step="network")

    _, event = hear(None, happen)
    assert data(event)["running"] == [{"study": "1.2.3", "job": "job-3", "step": "network", "percent": 40}]


def test_who_comes_back_is_told_what_was_missed(hear) -> None:
    _, event = hear(0)
    assert data(event)["studies"] == ["1.2.3", "1.2.4"]


def test_who_has_heard_of_more_than_there_is_hears_on_from_here(story: Parts, hear) -> None:
    """The database was put back from a backup, and a browser keeps the number of the last event that it heard."""

    def happen() -> None:
        with story.database.transaction() as tx:
            tx.journal.add(NOW, "note", "something", study="1.2.4")

    _, here, event = hear(10**9, lambda: None, happen)
    assert data(here) == {"studies": [], "running": []}
    assert data(event)["studies"] == ["1.2.4"]


def test_it_ends_when_the_console_does(console: Console, hear) -> None:
    console.stop.set()
    assert hear(None) == ["retry: 3000\n\n"]


def test_an_event_says_where_to_go_on(story: Parts, console: Console) -> None:
    news = look(console, 0)
    assert news.event().startswith(f"id: {news.newest}\n")
    assert look(console, news.newest) == News(news.newest)
