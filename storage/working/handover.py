"""Work that a process leaves undone when it ends on purpose: handed back, so that another takes it at once."""

from __future__ import annotations

from sqlalchemy import update

from storage import leases, tables
from storage.sql import tables_alerts, tables_models
from storage.sql.bell import ring
from storage.sql.store import Store

LEASED = (
    tables.jobs,
    tables.deliveries,
    tables.fetches,
    tables.recalls,
    tables.commitments,
    tables.promises,
    tables_models.benches,
    tables_models.shadows,
    tables_alerts.notices,
)


class Handover(Store):
    """The leases of one process, in one transaction."""

    def of(self, process: str) -> int:
        """Give back what owners whose names begin with `process` hold; gives the number. Nobody crashed.

        A thread that is still at it ends with LeaseLost.
        """
        handed = 0
        for table in LEASED:
            theirs = table.c.lease_owner.startswith(process, autoescape=True)
            back = update(table).where(table.c.state == leases.PENDING, leases.held(table), theirs)
            handed += self._connection.execute(back.values(**leases.NO_LEASE)).rowcount
        if handed:
            ring(self._connection)
        return handed
