"""Open associations as leased rows, so that every process knows whether a sender is still at it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import case, delete, exists, func, or_, select, update

from storage.errors import NotFound
from storage.sql.store import Store
from storage.tables import associations, senders
from storage.texts import plain

KEPT_S = 24 * 3600.0

_OPEN = associations.c.closed_at.is_(None)
_LAPSED = associations.c.closed_at == associations.c.lease_until  # as `close_lapsed` leaves it


class Associations(Store):
    """Associations of one transaction; one whose lease has run out counts as closed."""

    def open(
        self,
        association_id: str,
        owner: str,
        calling_aet: str,
        called_aet: str,
        address: str,
        now: float,
        term_s: float,
    ) -> None:
        """Note an association that was accepted; noting it twice is noting it once."""
        self._add(
            associations,
            association_id=association_id,
            calling_aet=plain(calling_aet),
            called_aet=plain(called_aet),
            address=plain(address),
            opened_at=now,
            closed_at=None,
            lease_owner=owner,
            lease_until=now + term_s,
        )

    def renew(self, association_ids: Collection[str], now: float, term_s: float) -> int:
        """Extend those of these that are open; gives their number.

        One that was closed because its owner could not renew it, as while the database was away, is open again.
        """
        these = associations.c.association_id.in_(association_ids) & or_(_OPEN, _LAPSED)
        longer = update(associations).where(these).values(lease_until=now + term_s, closed_at=None)
        return self._connection.execute(longer).rowcount

    def close(self, association_id: str, now: float) -> None:
        """Note its end; a second end changes nothing."""
        this = associations.c.association_id == association_id
        ended = case((or_(_OPEN, _LAPSED), now), else_=associations.c.closed_at)
        if self._connection.execute(update(associations).where(this).values(closed_at=ended)).rowcount == 0:
            raise NotFound(f"no association {association_id}")

    def open_count(self, now: float) -> int:
        alive = _OPEN & (associations.c.lease_until > now)
        return int(self._connection.execute(select(func.count()).where(alive)).scalar_one())

    def close_lapsed(self, now: float) -> int:
        """Close what its owner left open when it died, as of the end of its lease; gives the number."""
        stale = _OPEN & (associations.c.lease_until <= now)
        ended = update(associations).where(stale).values(closed_at=associations.c.lease_until)
        return self._connection.execute(ended).rowcount

    def forget(self, now: float) -> int:
        """Drop those that ended before yesterday and of which no study here has anything; gives the number."""
        gave = exists(select(1).where(senders.c.association_id == associations.c.association_id))
        old = delete(associations).where(associations.c.closed_at <= now - KEPT_S, ~gave)
        return self._connection.execute(old).rowcount
