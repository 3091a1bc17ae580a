"""The part of the schema that is about the node itself: the processes that run, and what it was configured to do."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Double, Index, Integer, PrimaryKeyConstraint, Table, Text

from storage.tables import metadata

processes = Table(
    "processes",
    metadata,
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("modules", JSON, nullable=False),
    Column("detail", JSON, nullable=False),
    PrimaryKeyConstraint("host", "pid"),
    Index("ix_processes_seen", "seen_at"),
)

# One row, of place 1: the oldest schema whose programs can work with this one (migrations/__init__.py).
compatibility = Table(
    "compatibility",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("needs", Text, nullable=False),
)

revisions = Table(
    "revisions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sha256", Text, nullable=False),
    Column("content", JSON, nullable=False),
    Column("at", Double, nullable=False),
)
