"""Open associations as leased rows, so that every process knows whether a sender is still at it."""

from __future__ import annotations

from sqlalchemy import delete, exists, func, select, update

from storage.errors import NotFound
from storage.store import Store, plain
from storage.tables import associations, senders

KEPT_S = 24 * 3600.0


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

    def renew(self, owner: str, now: float, term_s: float) -> int:
        """Extend all of an owner's open associations; gives their number."""
        mine = (associations.c.lease_owner == owner) & associations.c.closed_at.is_(None)
        return self._connection.execute(update(associations).where(mine).values(lease_until=now + term_s)).rowcount

    def close(self, association_id: str, now: float) -> None:
        """Note its end; a second end changes nothing."""
        this = associations.c.association_id == association_id
        ended = func.coalesce(associations.c.closed_at, now)
        if self._connection.execute(update(associations).where(this).values(closed_at=ended)).rowcount == 0:
            raise NotFound(f"no association {association_id}")

    def open_count(self, now: float) -> int:
        alive = associations.c.closed_at.is_(None) & (associations.c.lease_until > now)
        return int(self._connection.execute(select(func.count()).where(alive)).scalar_one())

    def close_lapsed(self, now: float) -> int:
        """Close what its owner left open when it died, as of the end of its lease; gives the number."""
        stale = associations.c.closed_at.is_(None) & (associations.c.lease_until <= now)
        ended = update(associations).where(stale).values(closed_at=associations.c.lease_until)
        return self._connection.execute(ended).rowcount

    def forget(self, now: float) -> int:
        """Drop those that ended before yesterday and of which no study here has anything; gives the number."""
        gave = exists(select(1).where(senders.c.association_id == associations.c.association_id))
        old = delete(associations).where(associations.c.closed_at <= now - KEPT_S, ~gave)
        return self._connection.execute(old).rowcount
