"""A copy of the audit messages, which the console lists."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_records",
        sa.Column("record_id", Counter, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("study_uid", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name="pk_audit_records"),
    )
    op.create_index("ix_audit_records_at", "audit_records", ["at", "record_id"])
    op.create_index("ix_audit_records_study", "audit_records", ["study_uid", "at", "record_id"])
