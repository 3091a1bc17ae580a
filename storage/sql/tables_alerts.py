"""The part of the schema that is about being watched: what processes count, what is late, who is told of it."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Double, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy import UniqueConstraint as Unique

from storage.sql.words import Word
from storage.tables import Counter, metadata, studies

# What every process has counted since the first one ran; `labels` is JSON with sorted keys.
counters = Table(
    "counters",
    metadata,
    Column("name", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("value", Double, nullable=False),
    PrimaryKeyConstraint("name", "labels"),
)

# A study that has no result though it should; resolved_at is NULL as long as that is so.
alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", Counter, primary_key=True),
    Column("study_uid", Text, ForeignKey(studies.c.study_uid), nullable=False),
    Column("raised_at", Double, nullable=False),
    Column("resolved_at", Double),
    Index(
        "uq_alerts_open",
        "study_uid",
        unique=True,
        sqlite_where=text("resolved_at IS NULL"),
        postgresql_where=text("resolved_at IS NULL"),
    ),
)

# What is to be told by mail or to a webhook; the same key is told a channel once.
notices = Table(
    "notices",
    metadata,
    Column("notice_id", Counter, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("state", Word, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("reason", Text, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Unique("channel", "key"),
    Index("ix_notices_queue", "state", "next_attempt_at", "notice_id"),
    Index("ix_notices_ended", "ended_at"),
)

# Up to which moment somebody has looked at what ended.
watches = Table(
    "watches",
    metadata,
    Column("name", Text, primary_key=True),
    Column("until", Double, nullable=False),
)
