"""Brings a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from storage.errors import SchemaTooNew

LOCK = 0x5E67_0DE0  # a number for PostgreSQL's advisory lock: one upgrade at a time


def upgrade(connection: Connection) -> None:
    """Run what is missing, inside the caller's transaction; another process may have done it meanwhile."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaTooNew("the database was written by a newer release; run that one, or restore a backup") from error
