"""Which roles run, told by their heartbeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select

from storage.records import ProcessRow
from storage.sql.store import Store
from storage.sql.tables_node import processes

MAX_AGE_S = 60.0  # a role that fell silent is shown for so long


class Processes(Store):
    """Heartbeats of one transaction; a process is its host and its number."""

    def beat(
        self,
        role: str,
        pid: int,
        host: str,
        started_at: float,
        now: float,
        modules: Sequence[str],
        detail: Mapping[str, Any],
    ) -> None:
        """Say that a role is alive; `modules` are the heavy libraries it has loaded."""
        told = {
            "role": role,
            "started_at": started_at,
            "seen_at": now,
            "modules": list(modules),
            "detail": dict(detail),
        }
        row = self._insert(processes).values(host=host, pid=pid, **told)
        self._connection.execute(row.on_conflict_do_update(index_elements=["host", "pid"], set_=told))

    def list(self, now: float, max_age_s: float = MAX_AGE_S) -> Sequence[ProcessRow]:
        """Who was heard of within `max_age_s`, by role."""
        query = (
            select(processes)
            .where(processes.c.seen_at > now - max_age_s)
            .order_by(processes.c.role, processes.c.host, processes.c.pid)
        )
        return [
            ProcessRow(row.role, row.pid, row.host, row.started_at, row.seen_at, tuple(row.modules), row.detail)
            for row in self._connection.execute(query)
        ]

    def gone(self, pid: int, host: str) -> None:
        """Take a process away that ends on purpose."""
        self._connection.execute(delete(processes).where(processes.c.pid == pid, processes.c.host == host))

    def forget_ahead(self, now: float) -> int:
        """Take away who was heard of after `now`, by a clock that was set back since; the living are heard of again."""
        return self._connection.execute(delete(processes).where(processes.c.seen_at > now)).rowcount

    def forget(self, now: float, silent_s: float) -> int:
        """Take away who was not heard of for `silent_s`; gives the number."""
        return self._connection.execute(delete(processes).where(processes.c.seen_at <= now - silent_s)).rowcount
