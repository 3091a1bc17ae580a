"""Reviews: results that a person corrected and sent back."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("sop_uid", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("study_uid", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("sop_uid", name="pk_reviews"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name="fk_reviews_job_id"),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.study_uid"], name="fk_reviews_study_uid"),
    )
    op.create_index("ix_reviews_study", "reviews", ["study_uid", "at", "sop_uid"])
    op.create_index("ix_reviews_at", "reviews", ["at", "sop_uid"])
