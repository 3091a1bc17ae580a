"""What a database is asked, statement by statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from storage.database import Database


@contextmanager
def asked(database: Database) -> Iterator[list[tuple[str, object]]]:
    """The statements that are executed meanwhile, with their values."""
    found: list[tuple[str, object]] = []

    def listen(conn: object, cursor: object, statement: str, values: object, *_: object) -> None:
        found.append((statement, values))

    event.listen(database._engine, "before_cursor_execute", listen)
    yield found
    event.remove(database._engine, "before_cursor_execute", listen)
