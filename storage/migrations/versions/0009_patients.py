"""The patient ID in a column of its own, so that a patient's studies are found."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("studies", sa.Column("patient_id", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_studies_patient", "studies", ["patient_id", "received_at"])
    connection = op.get_bind()
    studies = sa.table("studies", sa.column("study_uid"), sa.column("header", sa.Text()), sa.column("patient_id"))
    header = sa.cast(studies.c.header, sa.Text())  # the database's own JSON functions refuse damaged escapes
    for uid, text in connection.execute(sa.select(studies.c.study_uid, header)).all():
        patient = str(json.loads(text).get("PatientID") or "").replace("\0", "").strip()
        if patient:
            named = sa.update(studies).where(studies.c.study_uid == uid)
            connection.execute(named.values(patient_id=patient))
