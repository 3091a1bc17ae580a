"""A page of actions and its continuation; patients only for who may know them."""

from __future__ import annotations

import json

import pytest

from dicom_node.assembly import Parts
from dicom_node.audit import messages
from dicom_node.audit.facts import Happened, Images, Participant, PersonAction, Reporter
from dicom_node.audit.ledger import entry_of
from dicom_node.masking import HIDDEN
from dicom_node.views import audit_views
from dicom_node.views.audit_views import audit_page, exported, read_audit_cursor
from dicom_node.views.study_views import BadCursor, Looking
from storage.people.audit_records import AuditSought

ADA = Participant("ada", requestor=True, name="ada", address="10.0.0.9")
KNOWS, KNOWS_NOT = Looking(0.0, names=True), Looking(0.0, names=False)


@pytest.fixture
def trail(parts: Parts) -> Parts:
    """Ada looked at a study five times; at the last it was odd."""
    images = Images("1.2.3", "4711", "Doe^Jane")
    with parts.database.transaction() as tx:
        for number in range(5):
            event = Happened(1000.0 + number, reason="Jane was awake" if number == 4 else "")
            made = messages.instances_accessed(Reporter("x"), event, [ADA], images, kind=PersonAction.LOOK)
            tx.audit_records.add(entry_of(made))
    return parts


def test_pages_follow_one_another(trail: Parts) -> None:
    pages, cursor = [], None
    while cursor != "":
        with trail.database.reading() as tx:
            after = read_audit_cursor(cursor) if cursor else None
            page = audit_page(tx, AuditSought(after=after, limit=2), KNOWS)
        pages.append([record["at"] for record in page["records"]])
        cursor = page["next"] or ""
    assert pages == [[1004.0, 1003.0], [1002.0, 1001.0], [1000.0]]


def test_an_action_in_words(trail: Parts) -> None:
    with trail.database.reading() as tx:
        record = audit_page(tx, AuditSought(limit=1), KNOWS)["records"][0]
    assert record["sentence"] == "Study looked at by ada"
    assert record["codes"] == ["110103", "look"]
    assert record["parties"] == [{"name": "ada", "ae_title": "", "address": "10.0.0.9", "asked": True}]
    assert (record["study"], record["patient"]) == ("1.2.3", {"name": "Doe, Jane", "id": "4711"})


def test_who_may_not_know_patients_finds_none(trail: Parts) -> None:
    lines = list(exported(trail.database, AuditSought(), KNOWS_NOT))
    assert not any(word in line for line in lines for word in ("Doe", "Jane", "4711"))
    first = json.loads(lines[0])
    assert (first["patient"], first["message"]) == ({"name": HIDDEN, "id": HIDDEN}, None)
    assert first["reason"] == f"{HIDDEN} was awake"


def test_all_of_it_is_exported_however_much(trail: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_views, "AT_ONCE", 2)
    lines = [json.loads(line) for line in exported(trail.database, AuditSought(until=1004.0), KNOWS)]
    assert [line["at"] for line in lines] == [1003.0, 1002.0, 1001.0, 1000.0]
    assert lines[0]["message"].startswith("<AuditMessage>")


@pytest.mark.parametrize("cursor", ["", "1", "1~", "x~1", "1~x", "1~-1", f"1~{2**63}", "1~" + "9" * 60])
def test_a_cursor_of_others_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor, match="begin at the first page"):
        read_audit_cursor(cursor)
