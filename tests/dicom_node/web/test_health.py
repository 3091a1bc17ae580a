"""What machines that watch the node are told."""

from __future__ import annotations

import pytest
from browsing import NOW, Browser
from mount import unmounted

from dicom_node.assembly import Parts
from storage.errors import Unavailable


@pytest.fixture
def beating(parts: Parts) -> None:
    """Every role was heard of a second ago."""
    with parts.database.transaction() as tx:
        for number, role in enumerate(("receive", "pipeline", "clock", "web")):
            tx.processes.beat(role, number, "host", 1.0, NOW - 1.0, [], {})


def test_a_process_whose_database_answers_lives(visitor: Browser) -> None:
    answer = visitor.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "well", "troubles": []})


def test_a_node_that_can_work_is_ready(visitor: Browser, beating: None) -> None:
    assert visitor.get("/readyz").json() == {"status": "well", "troubles": []}


def test_they_say_what_they_answer_and_that_they_need_no_token(program) -> None:
    paths = program("vera").get("/api/v1/openapi.json").json()["paths"]
    for place in ("/healthz", "/readyz"):
        told = paths[place]["get"]
        assert (sorted(told["responses"]), told["security"]) == (["200", "503"], [])


def test_what_keeps_it_from_work_is_said(visitor: Browser, parts: Parts, beating: None, monkeypatch) -> None:
    monkeypatch.setattr(type(parts.archive), "free_bytes", lambda _: 1_500_000_000)
    with parts.database.transaction() as tx:
        tx.processes.gone(1, "host")
    answer = visitor.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["troubles"] == [
        "role pipeline is silent", "the disk is full: 1.5 GB free, new instances are refused"
    ]


def test_a_node_whose_archive_is_away_is_not_ready(visitor: Browser, parts: Parts, beating: None) -> None:
    with unmounted(parts.archive.root):
        answer = visitor.get("/readyz")
    assert answer.status_code == 503
    assert "is its file system mounted" in answer.json()["troubles"][0]
    assert visitor.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_database_that_does_not_answer_is_said(visitor: Browser, parts: Parts, monkeypatch, path: str) -> None:
    def reading(_):
        raise Unavailable("the database does not answer: locked")

    monkeypatch.setattr(type(parts.database), "reading", reading)
    answer = visitor.get(path)
    assert (answer.status_code, answer.json()["troubles"]) == (503, ["the database does not answer: locked"])
