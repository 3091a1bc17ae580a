"""How each kind of database is opened: SQLite for one machine, PostgreSQL for several.

Both promise the same: what is committed survives a power cut, one writer at a time changes a row, and a
busy database makes callers wait for `BUSY_S` before they are told.
"""

from __future__ import annotations

import json
import math
import sqlite3
from importlib.util import find_spec
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import ArgumentError, DBAPIError

from storage.errors import StorageError

BUSY_S = 30
CHECKPOINT_PAGES = 4000  # of 4 KiB: an arrival writes a dozen, mostly the same ones, and a checkpoint writes each once
# PostgreSQL ends a session, and with it every lock, whose machine has been away for these 25 s, or whose program has
# kept a transaction open without a word for two minutes: nobody else waits longer for what it held.
SILENT_SESSIONS = {
    "lock_timeout": BUSY_S * 1000,
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "idle_in_transaction_session_timeout": 120_000,
}
# …and so do we with a server that is away.
AWAY = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
CONNECTIONS = 15  # of a process to PostgreSQL, opened as they are needed and kept
WRITING = "storage_writing"  # execution option of a connection that may write


def make_engine(url: str) -> Engine:
    """An engine with this package's habits; connects to nothing yet."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter where the port is no number
        raise StorageError("the database URL is neither sqlite:///PATH nor postgresql://USER@HOST/NAME") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _sqlite(parsed)
    if backend == "postgresql":
        return _postgresql(parsed)
    raise StorageError(f"databases of kind {backend} are not supported; use sqlite or postgresql")


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise StorageError("SQLite needs a file (sqlite:///PATH): its processes share it")
    engine = create_engine(
        url, connect_args={"timeout": BUSY_S}, json_serializer=to_json, hide_parameters=True, pool_timeout=BUSY_S
    )
    event.listen(engine, "connect", _connected_to_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _connected_to_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Python's module would begin transactions by itself, and late; `_begin_sqlite` does it in its place.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = FULL")  # in WAL mode NORMAL may lose the last commits
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITING, False)
    if connection.info.get(WRITING) != writing:  # as this connection was used last
        by_driver(connection, f"PRAGMA query_only = {'OFF' if writing else 'ON'}")
        connection.info[WRITING] = writing
    # A reader that turns writer fails at once where another has written since, so a writer says it at the start.
    by_driver(connection, "BEGIN IMMEDIATE" if writing else "BEGIN")


def by_driver(connection: Connection, statement: str, parameters: Any = ()) -> DBAPICursor:
    """Run a statement past SQLAlchemy, which takes longer than SQLite; what fails is told as SQLAlchemy tells it."""
    library = connection.dialect.loaded_dbapi.Error
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, parameters)
    except library as error:
        raise DBAPIError.instance(
            statement, None, error, library, hide_parameters=True, dialect=connection.dialect
        ) from error
    return cursor


def _postgresql(url: URL) -> Engine:
    if find_spec("psycopg") is None:
        raise StorageError("PostgreSQL needs the library psycopg: pip install 'segnode[postgres]'")
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={**AWAY, "options": " ".join(f"-c {name}={value}" for name, value in SILENT_SESSIONS.items())},
        json_serializer=to_json,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=BUSY_S,
        pool_size=CONNECTIONS,
        max_overflow=0,  # those beyond a pool's size would be opened and closed again with every ring of the bell
    )
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _begin_postgresql(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITING, False)
    if connection.info.get(WRITING) != writing:  # as this connection was used last
        session: Any = connection.connection.dbapi_connection
        session.read_only = not writing  # its BEGIN says so from now on, which takes no statement more
        connection.info[WRITING] = writing


_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def to_json(value: Any) -> str:
    """JSON as the standard has it; a number that it cannot say (NaN, infinity) becomes null."""
    try:
        return _encode(value)
    except ValueError:
        return _encode(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
