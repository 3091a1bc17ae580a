"""What a next release might add: a column of a table that is busy, a table beside another, an index."""

import sqlalchemy as sa
from alembic import op

from storage import migrations

revision = "9000"
down_revision = max(file.name[:4] for file in migrations.FOLDERS[0].glob("[0-9]*.py"))


def upgrade() -> None:
    op.add_column("jobs", sa.Column("next_release", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "next_release",
        sa.Column("job_id", sa.Text(), sa.ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    )
    op.create_index("ix_instances_next_release", "instances", ["received_at"])
