"""Storage commitments, asked of us and by us."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "promises",
        sa.Column("promise_id", COUNTER, nullable=False),
        sa.Column("peer_aet", sa.Text(), nullable=False),
        sa.Column("called_aet", sa.Text(), nullable=False),
        sa.Column("transaction_uid", sa.Text(), nullable=False),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.Double(), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("promise_id", name="pk_promises"),
        sa.UniqueConstraint("peer_aet", "transaction_uid", name="uq_promises_peer_aet"),
    )
    op.create_index("ix_promises_peer", "promises", ["peer_aet", "state"])
    op.create_index("ix_promises_queue", "promises", ["state", "next_attempt_at", "promise_id"])
    op.create_table(
        "promised",
        sa.Column("sop_uid", sa.Text(), nullable=False),
        sa.Column("study_uid", sa.Text(), nullable=False),
        sa.Column("keep_until", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name="fk_promised_study_uid"),
        sa.PrimaryKeyConstraint("sop_uid", name="pk_promised"),
    )
    op.create_index("ix_promised_study", "promised", ["study_uid", "keep_until"])
    op.create_table(
        "commitments",
        sa.Column("commitment_id", COUNTER, nullable=False),
        sa.Column("transaction_uid", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("study_uid", sa.Text(), nullable=False),
        sa.Column("delivery_id", COUNTER, nullable=True),
        sa.Column("promise_id", COUNTER, nullable=True),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=True),
        sa.Column("next_attempt_at", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.delivery_id"], name="fk_commitments_delivery_id"),
        sa.ForeignKeyConstraint(["promise_id"], ["promises.promise_id"], name="fk_commitments_promise_id"),
        sa.PrimaryKeyConstraint("commitment_id", name="pk_commitments"),
        sa.UniqueConstraint("transaction_uid", name="uq_commitments_transaction_uid"),
    )
    op.create_index("ix_commitments_delivery", "commitments", ["delivery_id", "commitment_id"])
    op.create_index("ix_commitments_promise", "commitments", ["promise_id", "commitment_id"])
    op.create_index("ix_commitments_queue", "commitments", ["state", "next_attempt_at", "commitment_id"])
    op.create_index("ix_commitments_study", "commitments", ["study_uid", "commitment_id"])
