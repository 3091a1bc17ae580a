"""Copies of audit messages: found by who, what, which study and when; storage.sql.tables_audit."""

from __future__ import annotations

import pytest

from storage.people.audit_records import AuditEntry, AuditSought

ENTRIES = (
    AuditEntry(10.0, "110104", "", "CT1@10.0.0.5\nCT1\n10.0.0.5\nSEGNODE", "1.2.3", "<a/>"),
    AuditEntry(20.0, "110103", "look", "Ada\n10.0.0.9", "1.2.3", "<b/>"),
    AuditEntry(20.0, "110114", "110122", "ada\n10.0.0.9", "", "<c/>"),
    AuditEntry(30.0, "110103", "retry", "otto_1\n10.0.0.7", "1.2.4", "<d/>"),
)


@pytest.fixture
def found(db):
    """`found(…)`: the messages that are found, in the order in which they are given."""
    with db.transaction() as tx:
        for entry in ENTRIES:
            tx.audit_records.add(entry)

    def look(**asked):
        with db.reading() as tx:
            return [entry.message for entry in tx.audit_records.page(AuditSought(**asked))]

    return look


@pytest.mark.parametrize(("asked", "messages"), [
    ({}, ["<d/>", "<c/>", "<b/>", "<a/>"]),
    ({"words": "ADA"}, ["<c/>", "<b/>"]),
    ({"words": "ct1 10.0.0.5"}, ["<a/>"]),
    ({"words": "o_1"}, ["<d/>"]),
    ({"words": "%"}, []),
    ({"action": "110103"}, ["<d/>", "<b/>"]),
    ({"action": "look"}, ["<b/>"]),
    ({"study_uid": "1.2.3"}, ["<b/>", "<a/>"]),
    ({"since": 20.0}, ["<d/>", "<c/>", "<b/>"]),
    ({"since": 10.0, "until": 20.0}, ["<a/>"]),
    ({"limit": 1}, ["<d/>"]),
], ids=str)  # fmt: skip
def test_they_are_found_the_newest_first(found, asked, messages):
    assert found(**asked) == messages


def test_a_page_begins_where_the_last_one_ended(db, found):
    with db.reading() as tx:
        first = tx.audit_records.page(AuditSought(limit=2))
    assert [entry.message for entry in first] == ["<d/>", "<c/>"]
    assert found(after=(first[-1].at, first[-1].record_id)) == ["<b/>", "<a/>"]


def test_old_ones_are_forgotten(db, found):
    with db.transaction() as tx:
        assert tx.audit_records.forget(20.0) == 1
    assert found() == ["<d/>", "<c/>", "<b/>"]
