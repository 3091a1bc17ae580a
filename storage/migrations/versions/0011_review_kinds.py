"""Review kinds: reports that a person corrected, beside segmentations."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("reviews", sa.Column("kind", sa.Text(), nullable=False, server_default="seg"))
