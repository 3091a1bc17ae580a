"""What destinations hold of deliveries that have not ended whole, object by object: obsolete, it is to be rejected too.

A fact about the destination, whoever told it and under whichever lease, and whatever becomes of the delivery.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select

from storage.sql.store import Store
from storage.sql.tables_leaving import parts


class Parts(Store):
    """The parts of one transaction."""

    def add(self, job_id: str, destination: str, uids: Collection[str]) -> None:
        """The destination has said that it keeps these objects of the job."""
        for uid in sorted(uids):  # in one order: no two that tell the same then deadlock
            self._add(parts, job_id=job_id, destination=destination, sop_uid=uid)

    def remove(self, job_id: str, destination: str, uids: Collection[str]) -> None:
        """It does not, or a delivery that is SENT says so."""
        these = (parts.c.job_id == job_id, parts.c.destination == destination, parts.c.sop_uid.in_(list(uids)))
        self._connection.execute(delete(parts).where(*these))

    def of_job(self, job_id: str) -> dict[str, set[str]]:
        """The UIDs of the job's objects by destination."""
        held: dict[str, set[str]] = {}
        for row in self._connection.execute(select(parts).where(parts.c.job_id == job_id)):
            held.setdefault(row.destination, set()).add(row.sop_uid)
        return held
