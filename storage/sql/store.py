"""What the stores have in common: one connection inside one transaction."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Table, func, select, union_all
from sqlalchemy.dialects import postgresql, sqlite

from storage.sql.engines import WRITING
from storage.sql.words import at_most, word

Insert = sqlite.Insert | postgresql.Insert
S = TypeVar("S", bound=StrEnum)


def insert(dialect: str, table: Table) -> Insert:
    """An INSERT that knows ON CONFLICT in this kind of database's way."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


@cache
def unless_there(dialect: str, table: Table) -> Insert:
    """Add a row unless its key is there already."""
    return insert(dialect, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


class Store:
    """One store of a transaction; it lives as long as that."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def _writing(self) -> bool:
        return bool(self._connection.get_execution_options().get(WRITING, False))

    def _insert(self, table: Table) -> Insert:
        """An INSERT that knows ON CONFLICT in this database's way."""
        return insert(self._dialect, table)

    @property
    def _dialect(self) -> str:
        return self._connection.dialect.name

    def _add(self, table: Table, **values: Any) -> bool:
        """Insert a row unless its key is there already; tell whether it was inserted."""
        # Values go beside the statement, not into it: so it is built and compiled once.
        return self._connection.execute(unless_there(self._dialect, table), values).rowcount == 1

    def _exists(self, condition: ColumnElement[bool]) -> bool:
        return self._connection.execute(select(1).where(condition).limit(at_most(1))).first() is not None

    def _locked(self, column: ColumnElement[Any], this: ColumnElement[bool]) -> Any:
        """The value of `column` in one row, which is held until the commit; None where there is no such row."""
        query = select(column).where(this).with_for_update(key_share=True)
        return self._connection.execute(query).scalar_one_or_none()

    def _counts(self, state: ColumnElement[Any], states: type[S], most: int | None = None) -> dict[S, int]:
        """How many rows are in each state; with `most` none of them counted further, so that it stays quick."""
        if most is None:
            found = self._connection.execute(select(state, func.count()).group_by(state))
            return {states(name): number for name, number in found}
        counted = self._connection.execute(_counting(state, states, most))
        return {states(name): number for name, number in counted if number}


@cache
def _counting(state: ColumnElement[Any], states: type[StrEnum], most: int) -> CompoundSelect[Any]:
    """Counts the rows in each state, no further than `most`."""
    each = []
    for one in states:
        some = select(state).where(state == one.value).limit(at_most(most)).subquery()
        each.append(select(word(one.value), func.count()).select_from(some))
    return union_all(*each)


def among(column: ColumnElement[Any], states: Collection[StrEnum]) -> ColumnElement[bool]:
    """`column` is one of `states`; a single one is compared, so that an index gives the order too."""
    if len(states) == 1:
        (only,) = states
        return column == str(only)
    return column.in_([str(state) for state in states])
