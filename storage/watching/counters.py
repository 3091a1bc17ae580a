"""What happened, counted by every process and added up here, so that a figure is the whole node's and never falls."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import select

from storage.sql.store import Store
from storage.sql.tables_alerts import counters

Key = tuple[str, tuple[tuple[str, str], ...]]  # name, and label names with their values, sorted


class Counters(Store):
    """Counts of one transaction."""

    def add(self, counts: Mapping[Key, float]) -> None:
        """Add what a process has counted since it last did."""
        for name, labels in sorted(counts):  # in one order, so that two processes never wait for each other
            written = json.dumps(dict(labels), sort_keys=True)
            row = self._insert(counters).values(name=name, labels=written, value=counts[name, labels])
            more = {"value": counters.c.value + row.excluded.value}
            self._connection.execute(row.on_conflict_do_update(index_elements=["name", "labels"], set_=more))

    def all(self) -> dict[Key, float]:
        """Every count."""
        return {
            (row.name, tuple(sorted(json.loads(row.labels).items()))): row.value
            for row in self._connection.execute(select(counters))
        }
