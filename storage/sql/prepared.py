"""Statements compiled once for each kind of database, and run by the driver: for what happens at every image.

SQLAlchemy looks up a statement by its structure, binds and wraps each time it is run; that costs more than SQLite takes
for it. Here that is done once, with SQLAlchemy's own compiler and types; what comes back is the driver's own cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler

from storage.sql.engines import by_driver

Convert = Callable[[Any], Any]


class Prepared:
    """One statement in one database's words, with the parameters named `columns` beside those that it holds itself."""

    def __init__(self, statement: Executable, columns: Sequence[str], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(columns))  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        self.text = str(compiled)
        self._constants = {name: value for name, value in compiled.params.items() if name not in columns}
        self._order = compiled.positiontup
        self._converts: list[tuple[str, Convert]] = []
        for bound, name in compiled.bind_names.items():
            convert = bound.type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None and name in self._constants:
                self._constants[name] = convert(self._constants[name])
            elif convert is not None:
                self._converts.append((name, convert))

    def run(self, connection: Connection, values: Mapping[str, Any]) -> DBAPICursor:
        """Run it with these values of its columns."""
        bound = {**self._constants, **values}
        for name, convert in self._converts:
            bound[name] = convert(bound[name])
        parameters = bound if self._order is None else tuple(bound[name] for name in self._order)
        return by_driver(connection, self.text, parameters)


class Choice:
    """A statement that is made by `make(kind, *choices)`, once for each kind of database and choice, and then kept."""

    def __init__(self, make: Callable[..., Executable]) -> None:
        self.make = make
        self._kept: dict[tuple[Any, ...], Prepared] = {}

    def __call__(self, connection: Connection, values: Mapping[str, Any], *choices: Any) -> DBAPICursor:
        """Run it over a connection; the values' names are those of its columns."""
        key = (connection.dialect.name, tuple(values), *choices)
        statement = self._kept.get(key)
        if statement is None:
            made = self.make(connection.dialect.name, *choices)
            statement = self._kept[key] = Prepared(made, tuple(values), connection.dialect)
        return statement.run(connection, values)


def prepared(make: Callable[..., Executable]) -> Choice:
    """Decorates a function that makes a statement: it becomes one that runs it."""
    return Choice(make)
