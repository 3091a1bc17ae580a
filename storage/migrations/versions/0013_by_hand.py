"""Studies that a person brought: what is made of them goes nowhere by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("studies", sa.Column("by_hand", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("studies", sa.Column("wanted_task", sa.Text(), nullable=False, server_default=""))
