"""The part of the schema that is about what a study waits for before it is dispatched, but for archives (`recalls`)."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Table, Text

from storage.tables import metadata, studies

# Studies that wait for what becomes of an earlier one of their patient; who is dispatched has no row any more.
prior_waits = Table(
    "prior_waits",
    metadata,
    Column("study_uid", Text, ForeignKey(studies.c.study_uid, ondelete="CASCADE"), primary_key=True),
    Column("prior_uid", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("deadline", Double, nullable=False),
)
