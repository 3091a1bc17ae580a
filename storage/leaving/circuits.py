"""How each destination fares: failures in a row, since when, and when it is tried again.

When to open a circuit and for how long is the sender's policy; here is what all its processes must agree on.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, func, select, update

from storage.records import Circuit
from storage.sql.store import Store
from storage.tables import circuits
from storage.texts import plain

WELL: dict[str, Any] = {"failures": 0, "down_since": None, "next_try_at": None, "reason": ""}


class Circuits(Store):
    """Circuits of one transaction. Whoever also changes deliveries touches the circuit first: no two then deadlock."""

    def get(self, destination: str) -> Circuit:
        """How it fares; well where nothing is known."""
        row = self._connection.execute(select(circuits).where(circuits.c.destination == destination)).one_or_none()
        return Circuit(destination) if row is None else _circuit(row)

    def locked(self, destination: str) -> Circuit:
        """The same, held until the commit: who claims for a destination goes in turn."""
        self._add(circuits, destination=destination, **WELL)
        query = select(circuits).where(circuits.c.destination == destination).with_for_update(key_share=True)
        return _circuit(self._connection.execute(query).one())

    def in_trouble(self) -> list[Circuit]:
        """Destinations whose last attempt failed, by name."""
        query = select(circuits).where(circuits.c.failures > 0).order_by(circuits.c.destination)
        return [_circuit(row) for row in self._connection.execute(query)]

    def failed(self, destination: str, now: float, reason: str) -> Circuit:
        """Count a failure of the destination, and give what that makes of it."""
        new = self._insert(circuits).values(
            destination=destination, failures=1, down_since=now, next_try_at=None, reason=plain(reason)
        )
        again = {
            "failures": circuits.c.failures + 1,
            "down_since": func.coalesce(circuits.c.down_since, now),
            "reason": plain(reason),
        }
        told = new.on_conflict_do_update(index_elements=["destination"], set_=again).returning(circuits)
        return _circuit(self._connection.execute(told).one())

    def open(self, destination: str, next_try_at: float) -> None:
        """Try nothing there before `next_try_at`, also when it is open already."""
        this = circuits.c.destination == destination
        self._connection.execute(update(circuits).where(this).values(next_try_at=next_try_at))

    def worked(self, destination: str) -> Circuit | None:
        """The destination answers; gives what was known of it where that was a failure."""
        troubled = (circuits.c.destination == destination, circuits.c.failures > 0)
        row = self._connection.execute(select(circuits).where(*troubled).with_for_update(key_share=True)).one_or_none()
        if row is None:
            return None
        self._connection.execute(update(circuits).where(*troubled).values(**WELL))
        return _circuit(row)

    def try_now(self, destination: str, now: float) -> bool:
        """End the pause of an open circuit; False where it was not open."""
        waiting = (circuits.c.destination == destination, circuits.c.next_try_at.is_not(None))
        return self._connection.execute(update(circuits).where(*waiting).values(next_try_at=now)).rowcount == 1


def _circuit(row: Row[Any]) -> Circuit:
    return Circuit(**row._mapping)
