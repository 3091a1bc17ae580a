"""The audit trail as the console and the API show it: a page of actions in words, and messages to take away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from dicom_node.audit.reading import Party, read_message
from dicom_node.audit.words import OUTCOMES, sentence_of
from dicom_node.masking import HIDDEN, masked, readable
from dicom_node.views.study_views import BadCursor, Looking
from storage.database import Database, Transaction
from storage.people.audit_records import AuditEntry, AuditSought

NONE_OF_OURS = "the cursor is none of ours: begin at the first page"
LARGEST_NUMBER = 2**63 - 1  # of a row, in every database
AT_ONCE = 500  # of an export, in one look at the database


def audit_page(tx: Transaction, sought: AuditSought, looking: Looking) -> dict[str, Any]:
    """Actions, the newest first, and in `next` the cursor of the page after them, null at the end."""
    found = tx.audit_records.page(replace(sought, limit=sought.limit + 1))
    shown = found[: sought.limit]
    more = _cursor_of(shown[-1]) if len(found) > len(shown) else None
    return {"records": [record_view(entry, looking) for entry in shown], "next": more}


def record_view(entry: AuditEntry, looking: Looking) -> dict[str, Any]:
    """One action; whose images they were is hidden from who may not know."""
    told = read_message(entry.message)
    view: dict[str, Any] = {
        "record": entry.record_id,
        "at": told.at,
        "event": told.event.meaning,
        "kind": told.kind.meaning if told.kind else "",
        "codes": [entry.event, entry.kind],
        "outcome": OUTCOMES[told.outcome],
        "sentence": sentence_of(told),
        "reason": told.reason,
        "parties": [_party(one) for one in told.parties],
        "study": told.study_uid,
        "patient": {"name": readable(told.patient.get("PatientName", "")), "id": told.patient.get("PatientID", "")},
    }
    if looking.names:
        return view
    view["patient"] = {key: HIDDEN if value else "" for key, value in view["patient"].items()}
    return dict(masked(view, told.patient))


def exported(database: Database, sought: AuditSought, looking: Looking) -> Iterator[str]:
    """Every action that is found, the newest first, as lines of JSON.

    `message` is the audit message itself (PS3.15 A.5.1), null for who may not know patients.
    """
    step = replace(sought, limit=AT_ONCE)
    while True:
        with database.reading() as tx:
            entries = tx.audit_records.page(step)
        for entry in entries:
            line = record_view(entry, looking) | {"message": entry.message if looking.names else None}
            yield json.dumps(line, ensure_ascii=False) + "\n"
        if len(entries) < AT_ONCE:
            return
        step = replace(step, after=(entries[-1].at, entries[-1].record_id))


def read_audit_cursor(cursor: str) -> tuple[float, int]:
    """(at, record) of a cursor; BadCursor."""
    at, _, number = cursor.partition("~")
    try:
        when, record = float(at), int(number)
    except ValueError:
        raise BadCursor(NONE_OF_OURS) from None
    if not 0 <= record <= LARGEST_NUMBER:
        raise BadCursor(NONE_OF_OURS)
    return when, record


def _cursor_of(entry: AuditEntry) -> str:
    return f"{entry.at!r}~{entry.record_id}"


def _party(one: Party) -> dict[str, Any]:
    return {"name": str(one), "ae_title": one.ae_title, "address": one.address, "asked": one.requestor}
