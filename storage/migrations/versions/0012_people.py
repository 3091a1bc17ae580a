"""People: users of the web console, their sessions and tokens; and the words that studies are found by."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

Counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _users()
    _tickets()
    op.create_table(
        "failed_sign_ins",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_failed_sign_ins"),
    )
    op.create_table(
        "commands",
        sa.Column("user_id", Counter, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key", name="pk_commands"),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name="fk_commands_user_id"),
    )
    op.create_index("ix_commands_at", "commands", ["at"])
    op.create_table(
        "signing_keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_signing_keys"),
    )
    _found_by()


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", Counter, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )


def _tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("ticket_id", Counter, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", Counter, nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("ticket_id", name="pk_tickets"),
        sa.UniqueConstraint("sha256", name="uq_tickets_sha256"),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name="fk_tickets_user_id"),
    )
    op.create_index("ix_tickets_user", "tickets", ["user_id", "kind"])
    op.create_index("ix_tickets_expiry", "tickets", ["expires_at"])


def _found_by() -> None:
    op.add_column("studies", sa.Column("found_by", sa.Text(), nullable=False, server_default=""))
    for name, columns in (("ix_studies_state_received", ["state"]), ("ix_studies_received", [])):
        op.drop_index(name, "studies")
        op.create_index(name, "studies", [*columns, "received_at", "study_uid"])
    connection = op.get_bind()
    studies = sa.table("studies", sa.column("study_uid"), sa.column("header", sa.Text()), sa.column("found_by"))
    header = sa.cast(studies.c.header, sa.Text())
    for uid, text in connection.execute(sa.select(studies.c.study_uid, header)).all():
        told = json.loads(text)
        name = _text(told, "PatientName").replace("^", " ").replace("=", " ")
        words = "\n".join((name, _text(told, "PatientID"), _text(told, "AccessionNumber")))
        if words.strip():
            this = sa.update(studies).where(studies.c.study_uid == uid)
            connection.execute(this.values(found_by=words.strip().casefold()))


def _text(header: dict, keyword: str) -> str:
    plain = str(header.get(keyword) or "").replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return plain.strip()
