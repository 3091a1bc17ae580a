"""Results whose files retention has removed stay known by their UIDs."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("results", sa.Column("removed_at", sa.Double(), nullable=True))
