"""Which studies wait for an earlier one of their patient that is on its way here."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    study = ["study_uid"], ["studies.study_uid"]
    op.create_table(
        "prior_waits",
        sa.Column("study_uid", sa.Text(), nullable=False),
        sa.Column("prior_uid", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("deadline", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("study_uid", name="pk_prior_waits"),
        sa.ForeignKeyConstraint(*study, name="fk_prior_waits_study_uid", ondelete="CASCADE"),
    )
