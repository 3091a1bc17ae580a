"""When what waits is due, for all of it at once: moments that were written by a clock which was ahead."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Table, and_, case, or_, true, update

from storage import leases
from storage.lifecycle import StudyState
from storage.sql.store import Store
from storage.sql.tables_alerts import notices
from storage.sql.tables_arriving import prior_waits
from storage.sql.tables_people import failed_sign_ins
from storage.tables import associations, circuits, commitments, deliveries, fetches, jobs, promises, recalls, studies
from storage.working.handover import LEASED

LONGEST_TERM_S = 3600.0  # of all leases (lease_term_s in node.yaml)

# What is compared with now, or puts rows in order; of a recall also that from which its deadline counts.
QUEUES = {
    jobs: ("queued_at",),
    deliveries: ("next_attempt_at", "queued_at"),
    commitments: ("next_attempt_at",),
    promises: ("next_attempt_at",),
    fetches: ("next_attempt_at", "deadline"),
    recalls: ("next_attempt_at", "deadline", "created_at"),
    notices: ("next_attempt_at",),
}


class Due(Store):
    """The moments of what waits, in one transaction."""

    def earlier(self, by_s: float, now: float) -> int:
        """Put what lies after `now` of all that waits earlier by `by_s` seconds; gives the number of rows.

        Leases stay, since the living renew theirs, but for what is longer than any term: its owner may be dead.
        """
        down = ("down_since", "next_try_at")
        moved = self._earlier(circuits, down, by_s, now, circuits.c.failures > 0)  # first: see circuits.py
        moved += self._earlier(studies, ("changed_at",), by_s, now, studies.c.state == StudyState.RECEIVING.value)
        for table, columns in QUEUES.items():
            moved += self._earlier(table, columns, by_s, now, table.c.state == leases.PENDING)
        moved += self._earlier(prior_waits, ("deadline", "created_at"), by_s, now, true())
        moved += self._earlier(failed_sign_ins, ("last_at",), by_s, now, true())
        for table in LEASED:
            moved += self._lapses_earlier(table, by_s, now, leases.held(table))
        return moved + self._lapses_earlier(associations, by_s, now, associations.c.closed_at.is_(None))

    def _lapses_earlier(self, table: Table, by_s: float, now: float, held: ColumnElement[bool]) -> int:
        until = table.c.lease_until
        shorter = update(table).where(held, until > now + LONGEST_TERM_S).values(lease_until=until - by_s)
        return self._connection.execute(shorter).rowcount

    def _earlier(
        self, table: Table, columns: Sequence[str], by_s: float, now: float, waits: ColumnElement[bool]
    ) -> int:
        moments = [table.c[name] for name in columns]
        values = {one.name: case((one > now, one - by_s), else_=one) for one in moments}
        ahead = and_(waits, or_(*(one > now for one in moments)))
        return self._connection.execute(update(table).where(ahead).values(**values)).rowcount
