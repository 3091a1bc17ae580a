"""Installed models: checks of their files, how fast they are here, how a shadow answers on the same images."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "model_checks",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", name="pk_model_checks"),
    )
    op.create_table(
        "benches",
        sa.Column("bench_id", Counter, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("queued_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("bench_id", name="pk_benches"),
    )
    waiting = sa.text("state = 'PENDING'")
    op.create_index(
        "uq_benches_open", "benches", ["state"], unique=True, sqlite_where=waiting, postgresql_where=waiting
    )
    op.create_index("ix_benches_model", "benches", ["model", "bench_id"])
    op.create_table(
        "shadows",
        sa.Column("shadow_id", Counter, nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("study_uid", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("shadow", sa.Text(), nullable=False),
        sa.Column("shadow_version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("mean_dice", sa.Double(), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("shadow_id", name="pk_shadows"),
        sa.UniqueConstraint("job_id", "shadow", name="uq_shadows_job_id"),
    )
    op.create_index("ix_shadows_queue", "shadows", ["state", "queued_at", "shadow_id"])
    op.create_index("ix_shadows_model", "shadows", ["model", "shadow_id"])
