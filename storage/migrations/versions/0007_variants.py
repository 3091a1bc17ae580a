"""Variants: destinations with different profiles get different objects of the same job."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for table in ("results", "deliveries"):
        op.add_column(table, sa.Column("variant", sa.Text(), nullable=False, server_default=""))
