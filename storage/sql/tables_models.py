"""The part of the schema that is about installed models: whether their files are whole, how fast they are here, and
how another one answers on the same images."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Double, Index, Integer, Table, Text, UniqueConstraint, text

from storage.sql.words import Word
from storage.tables import Counter, metadata

# What came out when a person last had every file of a model read again; fault is "" where all were as recorded.
model_checks = Table(
    "model_checks",
    metadata,
    Column("model", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("by", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("fault", Text, nullable=False),
)

# A model that is tried on a phantom, on a device of the node; one at a time.
benches = Table(
    "benches",
    metadata,
    Column("bench_id", Counter, primary_key=True),
    Column("model", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("state", Word, nullable=False),
    Column("queued_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("reason", Text, nullable=False),
    Column("answer", JSON, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Index(
        "uq_benches_open",
        "state",
        unique=True,
        sqlite_where=text("state = 'PENDING'"),
        postgresql_where=text("state = 'PENDING'"),
    ),
    Index("ix_benches_model", "model", "bench_id"),
)

# How a model's shadow answers on the images of a job that is done; nothing of that leaves the node.
shadows = Table(
    "shadows",
    metadata,
    Column("shadow_id", Counter, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("shadow", Text, nullable=False),
    Column("shadow_version", Text, nullable=False),
    Column("state", Word, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("queued_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("reason", Text, nullable=False),
    Column("mean_dice", Double),
    Column("answer", JSON, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    UniqueConstraint("job_id", "shadow"),
    Index("ix_shadows_queue", "state", "queued_at", "shadow_id"),
    Index("ix_shadows_model", "model", "shadow_id"),
)
