"""Work is leased (owner and term), never marked: when its owner dies, the lease runs out by itself.

An owner is one worker of one process; two that share a name would take each other's work for their own.
The tables of leased work have one key column, `state`, `lease_owner` and `lease_until`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, or_, update

from storage.errors import LeaseLost
from storage.sql.words import at_most

NO_LEASE: dict[str, Any] = {"lease_owner": None, "lease_until": None}
PENDING = "PENDING"  # the only state in which a job or a delivery can be leased


def free(table: Table, now: float) -> ColumnElement[bool]:
    """Nobody holds the row, or its holder's term is over."""
    return or_(table.c.lease_until.is_(None), table.c.lease_until <= now)


def held(table: Table) -> ColumnElement[bool]:
    """Somebody has taken the row and not given it back, whether the term is over or not.

    Compared, not asked for NULL: so SQLite, too, reads it off an index of these few rows.
    """
    return table.c.lease_owner > ""


def alive(table: Table, now: float) -> ColumnElement[bool]:
    """Somebody holds the row, and the term is not over.

    Asked for NULL as well: PostgreSQL knows that few rows have a term, whichever moment is meant, and keeps its plan.
    """
    return and_(table.c.lease_until.is_not(None), table.c.lease_until > now)


def lapsed(table: Table, now: float) -> ColumnElement[bool]:
    """Somebody held the row and did not end it within the term."""
    return and_(held(table), table.c.lease_until <= now)


def take(connection: Connection, first: Select[Any], owner: str, until: float, **values: Any) -> Row[Any] | None:
    """Lease the first row that `first` finds, whoever else is looking; `first` selects the key, in order."""
    key: ColumnElement[Any] = first.selected_columns[0]
    table = key.table
    one = first.limit(at_most(1)).with_for_update(key_share=True, skip_locked=True)
    found = connection.execute(one).scalar_one_or_none()
    if found is None:
        return None
    leased = update(table).where(key == found).values(lease_owner=owner, lease_until=until, **values).returning(table)
    return connection.execute(leased).one()


def change(connection: Connection, key: ColumnElement[Any], value: object, owner: str, **values: Any) -> None:
    """Write `values` to the row that `owner` holds; LeaseLost where it is another's by now, or has ended."""
    table: Table = key.table
    held = and_(key == value, table.c.lease_owner == owner, table.c.state == PENDING)
    if connection.execute(update(table).where(held).values(**values)).rowcount != 1:
        raise LeaseLost(f"{owner} no longer holds {table.name} {value}")
