"""What destinations keep of deliveries that have not ended whole."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    job = sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name="fk_parts_job_id", ondelete="CASCADE")
    op.create_table(
        "parts",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("sop_uid", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "destination", "sop_uid", name="pk_parts"),
        job,
    )
