"""What stays quick as the node fills: whose a folder is, when jobs ended and deliveries left, what models have done.

Whose the folders are that are here already is noted by the first sweep (`storage/upkeep/reconcile.py`).
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("studies", sa.Column("folder", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_studies_folder", "studies", ["folder"])
    op.drop_index("ix_studies_settled", "studies")
    op.create_index("ix_studies_settled", "studies", ["state", "changed_at", "study_uid"])
    op.create_index("ix_jobs_finished", "jobs", ["state", "finished_at"])
    op.create_index("ix_jobs_route", "jobs", ["route", "task", "state"])
    op.create_index("ix_jobs_model", "jobs", ["model", "state", "finished_at"])
    op.create_index("ix_deliveries_sent", "deliveries", ["sent_at"])
    op.create_index("ix_reviews_job", "reviews", ["job_id"])
    op.create_index("ix_notices_ended", "notices", ["ended_at"])
