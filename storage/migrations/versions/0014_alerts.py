"""Being watched: counters of all processes, studies that are late, notices by mail and webhook."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name="pk_counters"),
    )
    op.create_table(
        "alerts",
        sa.Column("alert_id", Counter, nullable=False),
        sa.Column("study_uid", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.Double(), nullable=False),
        sa.Column("resolved_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name="pk_alerts"),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name="fk_alerts_study_uid"),
    )
    still = sa.text("resolved_at IS NULL")
    op.create_index("uq_alerts_open", "alerts", ["study_uid"], unique=True, sqlite_where=still, postgresql_where=still)
    op.create_table(
        "notices",
        sa.Column("notice_id", Counter, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("notice_id", name="pk_notices"),
        sa.UniqueConstraint("channel", "key", name="uq_notices_channel"),
    )
    op.create_index("ix_notices_queue", "notices", ["state", "next_attempt_at", "notice_id"])
    op.create_table(
        "watches",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_watches"),
    )
