"""Corrected headers, rejection notes, and results that are stale or withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("instances", sa.Column("replaced", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("instances", sa.Column("correction", sa.Text(), nullable=False, server_default=""))
    op.add_column("instances", sa.Column("unread", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("mark", sa.Text(), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("rejects", sa.Text(), nullable=False, server_default=""))
    _partial_index("ix_instances_unread", "instances", "study_uid", sqlite="unread = 1", postgresql="unread")
    _partial_index("ix_jobs_mark", "jobs", "mark", sqlite="mark <> ''", postgresql="mark <> ''")
    _partial_index("ix_jobs_rejects", "jobs", "rejects", sqlite="rejects <> ''", postgresql="rejects <> ''")
    op.create_table(
        "rejections",
        sa.Column("sop_uid", sa.Text(), nullable=False),
        sa.Column("note_uid", sa.Text(), nullable=False),
        sa.Column("study_uid", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("sop_uid", "note_uid", name="pk_rejections"),
    )
    op.create_index("ix_rejections_study", "rejections", ["study_uid"])


def _partial_index(name: str, table: str, column: str, *, sqlite: str, postgresql: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(sqlite), postgresql_where=sa.text(postgresql))
