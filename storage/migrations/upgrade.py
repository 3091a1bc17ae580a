"""Brings a database to the newest schema."""

from __future__ import annotations

import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from storage import migrations
from storage.errors import SchemaDamaged
from storage.sql.schema import WAY_OUT, check_whole, is_up_to_date
from storage.sql.store import insert
from storage.sql.tables_node import compatibility

LOCK = 0x5E67_0DE0  # a number for PostgreSQL's advisory lock: one upgrade at a time


def upgrade(connection: Connection) -> None:
    """Run what is missing, inside the caller's transaction; another process may have done it meanwhile.

    SchemaTooNew, SchemaDamaged: see storage/sql/schema.py.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if is_up_to_date(connection):
        return
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", _escaped(Path(__file__).parent))
    config.set_main_option("version_locations", os.pathsep.join(map(_escaped, migrations.FOLDERS)))
    config.set_main_option("path_separator", "os")
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaDamaged(f"the database is of a version that no release made: {WAY_OUT}") from error
    _mark(connection, ScriptDirectory.from_config(config))
    check_whole(connection)


def _mark(connection: Connection, scripts: ScriptDirectory) -> None:
    """Note the oldest program that can work with this schema: what the strictest of its migrations needs."""
    needs = max(getattr(one.module, "needs", migrations.FIRST_NEEDED) for one in scripts.walk_revisions())
    row = insert(connection.dialect.name, compatibility).values(place=1, needs=needs)
    connection.execute(row.on_conflict_do_update(index_elements=["place"], set_={"needs": needs}))


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
