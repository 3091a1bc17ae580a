"""Whether a database is one of ours, whole, and of which release."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, inspect, select, text

from storage.errors import SchemaDamaged, SchemaTooNew, StorageError
from storage.migrations import HEAD
from storage.sql.answering import answering
from storage.sql.engines import make_engine
from storage.sql.tables_audit import metadata
from storage.sql.tables_node import compatibility

VERSION_TABLE = "alembic_version"
WAY_OUT = "restore the last backup into an empty place (`segnode restore`), or ask whoever changed it"
MAY_MAKE_TABLES = text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
NO_TABLES = "our user may make no tables in the database: give it to that user (ALTER DATABASE … OWNER TO …)"


def look(url: str) -> None:
    """Ask the PostgreSQL at `url` whether a node can work with it; nothing is changed there.

    Unavailable where it does not answer or does not let us in; another StorageError where no node would start with it.
    """
    engine = make_engine(url)
    try:
        with answering(), engine.connect() as connection, connection.begin():
            if not is_up_to_date(connection) and not connection.execute(MAY_MAKE_TABLES).scalar():
                raise StorageError(NO_TABLES)
    finally:
        engine.dispose()


def version_of(connection: Connection) -> str | None:
    """The schema's revision; None where the database is empty. SchemaDamaged where it is half migrated.

    Migrations run in one transaction, so a crash leaves none half done; other hands and tools may.
    """
    names = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in names:
        if ours := names & set(metadata.tables):
            raise SchemaDamaged(f"the database has the tables {_listed(ours)} but no version: {WAY_OUT}")
        return None
    versions = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608 (ours)
    if len(versions) > 1:
        raise SchemaDamaged(f"the database says it is of the versions {_listed(versions)} at once: {WAY_OUT}")
    return versions[0] if versions else None


def is_up_to_date(connection: Connection) -> bool:
    """Whether this release can work with the schema as it is: its own, or a newer one that only added to it.

    SchemaTooNew where a newer release took something away; SchemaDamaged where something is missing.
    """
    version = version_of(connection)
    if version is None or version < HEAD:  # they are numbered
        return False
    if version > HEAD:
        _check_needs(connection)
    check_whole(connection)
    return True


def _check_needs(connection: Connection) -> None:
    names = inspect(connection).get_table_names()
    needs = connection.execute(select(compatibility.c.needs)).scalar() if compatibility.name in names else None
    if needs is None or needs > HEAD:
        raise SchemaTooNew("the database was written by a newer release; run that one, or restore a backup")


def check_whole(connection: Connection) -> None:
    """SchemaDamaged where a table or column of this release is missing."""
    found = {
        f"{table}.{column['name']}"
        for (_, table), columns in inspect(connection).get_multi_columns().items()
        for column in columns
    }
    wanted = {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns}
    if missing := wanted - found:
        raise SchemaDamaged(f"the database lacks {_listed(missing)}: {WAY_OUT}")


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
