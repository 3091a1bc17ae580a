"""The part of the schema that is about results that have left by half."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, PrimaryKeyConstraint, Table, Text

from storage.tables import jobs, metadata

# Which objects a destination has said that it keeps, of a delivery that has not ended whole. Once it is SENT, that says
# it of all of them. A job that goes takes these with it.
parts = Table(
    "parts",
    metadata,
    Column("job_id", Text, ForeignKey(jobs.c.job_id, ondelete="CASCADE"), nullable=False),
    Column("destination", Text, nullable=False),
    Column("sop_uid", Text, nullable=False),
    PrimaryKeyConstraint("job_id", "destination", "sop_uid"),
)
