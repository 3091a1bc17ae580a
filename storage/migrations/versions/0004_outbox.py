"""A queue for each destination, and how each destination fares."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "circuits",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("down_since", sa.Double(), nullable=True),
        sa.Column("next_try_at", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name="pk_circuits"),
    )
    op.add_column("deliveries", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("deliveries", sa.Column("queued_at", sa.Double(), nullable=False, server_default="0"))
    op.add_column("deliveries", sa.Column("tried_at", sa.Double(), nullable=True))
    op.add_column("deliveries", sa.Column("faults", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("deliveries", sa.Column("via", sa.Text(), nullable=False, server_default=""))
    op.execute(
        "UPDATE deliveries SET queued_at = created_at,"
        " priority = (SELECT jobs.priority FROM jobs WHERE jobs.job_id = deliveries.job_id)"
    )
    op.execute("UPDATE deliveries SET via = destination WHERE sent_at IS NOT NULL")
    op.drop_index("ix_deliveries_queue", "deliveries")
    op.create_index(
        "ix_deliveries_queue",
        "deliveries",
        ["state", "destination", sa.text("priority DESC"), "queued_at", "delivery_id"],
    )
    op.create_index("ix_deliveries_leased", "deliveries", ["lease_until"])
