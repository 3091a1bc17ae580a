"""Several machines: whose leases there are is found without a look at the queue; which releases can work with a schema."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    held, crashed = sa.text("lease_owner IS NOT NULL"), sa.text("crashes > 0")
    op.create_index("ix_jobs_leased", "jobs", ["state", "lease_owner"], sqlite_where=held, postgresql_where=held)
    op.create_index("ix_jobs_crashed", "jobs", ["state", "crashes"], sqlite_where=crashed, postgresql_where=crashed)
    op.create_table(
        "compatibility",
        sa.Column("place", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_compatibility"),
    )
