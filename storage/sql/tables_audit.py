"""The part of the schema that the console's list of the audit trail is made from; the trail itself is in files."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Table, Text

from storage.sql.tables_people import metadata
from storage.tables import Counter

# A copy of each message (PS3.15 A.5) for some time, with what it is looked for by. It names patients.
audit_records = Table(
    "audit_records",
    metadata,
    Column("record_id", Counter, primary_key=True),
    Column("at", Double, nullable=False),
    Column("event", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("message", Text, nullable=False),
    Index("ix_audit_records_at", "at", "record_id"),
    Index("ix_audit_records_study", "study_uid", "at", "record_id"),
)
