"""The audit trail in the console: who may see it, what it is narrowed by, and that reading it is told.

dicom_node.web.pages.audit, dicom_node.web.api.audit, dicom_node.web.auditing
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import pytest
from browsing import Browser

from dicom_node.assembly import Parts
from dicom_node.audit import messages
from dicom_node.audit.facts import Happened, Images, Participant, PersonAction, Reporter
from dicom_node.audit.ledger import entry_of
from storage.people.audit_records import AuditSought

MakeBrowser = Callable[[str], Browser]
EVENING = datetime(2026, 3, 1, 23, 30).astimezone().timestamp()
OTTO = Participant("otto", requestor=True, name="otto", address="10.0.0.7")
CT1 = Participant("CT1@10.0.0.5", requestor=True, ae_title="CT1", address="10.0.0.5")
US = Participant("7", ae_title="SEGNODE", name="segnode receive")
JANE = Images("1.2.3", "4711", "Doe^Jane", "", {"1.2": 3})


@pytest.fixture
def trail(parts: Parts) -> Parts:
    """CT1 sent a study in the evening; an hour later, the next day, Otto looked at it."""
    told = [
        messages.instances_transferred(Reporter("x"), Happened(EVENING), CT1, US, JANE, action="C"),
        messages.instances_accessed(Reporter("x"), Happened(EVENING + 3600), [OTTO, US], JANE, kind=PersonAction.LOOK),
    ]
    with parts.database.transaction() as tx:
        for one in told:
            tx.audit_records.add(entry_of(one))
    return parts


def sentences(browser: Browser, **asked: str) -> list[str]:
    return [record["sentence"] for record in browser.get("/api/v1/audit", params=asked).json()["records"]]


def test_an_administrator_reads_who_did_what(trail: Parts, signed_in: MakeBrowser) -> None:
    page = signed_in("ada").get("/audit").text
    assert page.index("Study looked at by otto") < page.index("CT1 sent 3 instances to segnode receive")
    assert 'href="/studies/1.2.3"' in page
    assert "Doe, Jane" in page
    assert 'href="/api/v1/audit/export"' in page


@pytest.mark.parametrize("name", ["vera", "otto"])
def test_nobody_else_does(name: str, trail: Parts, signed_in: MakeBrowser) -> None:
    browser, places = signed_in(name), ("/audit", "/api/v1/audit", "/api/v1/audit/export")
    assert [browser.get(place).status_code for place in places] == [403] * 3
    assert 'href="/audit"' not in browser.get("/about").text


@pytest.mark.parametrize(("asked", "found"), [
    ({"who": "OTTO"}, ["looked"]),
    ({"who": "10.0.0"}, ["looked", "sent"]),
    ({"action": "110104"}, ["sent"]),
    ({"action": "look"}, ["looked"]),
    ({"study": "1.2.4"}, []),
    ({"from": "2026-03-02"}, ["looked"]),
    ({"from": "2026-03-01", "to": "2026-03-01"}, ["sent"]),
    ({"from": "", "to": "", "who": "otto"}, ["looked"]),
], ids=str)  # fmt: skip
def test_it_is_narrowed(asked: dict[str, str], found: list[str], trail: Parts, program: MakeBrowser) -> None:
    told = sentences(program("ada"), **({"to": "2026-03-31"} | asked))
    assert [next(word for word in ("looked", "sent") if word in one) for one in told] == found


def test_pages_and_the_export_keep_what_was_asked(trail: Parts, signed_in: MakeBrowser) -> None:
    page = signed_in("ada").get("/audit", params={"study": "1.2.3", "limit": "1"}).text
    assert 'href="/api/v1/audit/export?study=1.2.3"' in page
    onward = page.split('href="/audit?study=1.2.3&amp;after=')[1].split('"')[0]
    further = signed_in("ada").get(f"/audit?study=1.2.3&after={onward}").text
    assert "Study looked at" not in further
    assert "CT1 sent" in further


def test_it_is_taken_away_as_lines_of_json(trail: Parts, program: MakeBrowser) -> None:
    answer = program("ada").get("/api/v1/audit/export", params={"who": "ct1"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.jsonl"'
    (line,) = [json.loads(line) for line in answer.text.splitlines()]
    assert "<AuditMessage>" in line["message"]


@pytest.mark.parametrize(("asked", "status"), [
    ({"action": "palmistry"}, 400),
    ({"after": "yesterday"}, 400),
    ({"study": "no uid"}, 400),
    ({"from": "yesterday"}, 422),
    ({"to": "9999-12-31"}, 422),
], ids=str)  # fmt: skip
def test_what_is_no_question_is_refused(asked: dict[str, str], status: int, program: MakeBrowser) -> None:
    assert program("ada").get("/api/v1/audit", params=asked).status_code == status


def test_reading_it_is_told_with_who_read(trail: Parts, program: MakeBrowser) -> None:
    ada = program("ada")
    ada.get("/api/v1/audit")
    ada.get("/api/v1/audit/export")
    trail.audit.close()
    with trail.database.reading() as tx:
        read = tx.audit_records.page(AuditSought(action="110101"))
    assert len(read) == 2
    assert "ada" in read[0].who.split("\n")
