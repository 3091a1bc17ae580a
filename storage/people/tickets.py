"""Tickets: random tokens that stand for a person. Only their SHA-256 is kept, so a stolen database opens nothing.

A token has 256 random bits, so a plain hash is enough: nobody guesses his way back from it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, and_, delete, insert, or_, select, update

from storage.sql.store import Store
from storage.sql.tables_people import tickets
from storage.texts import plain


class TicketKind(StrEnum):
    SESSION = "session"  # a browser that has signed in
    PROGRAM = "program"  # a program that calls the API
    LINK = "link"  # good once: choose a password


@dataclass(frozen=True)
class Ticket:
    """One token's row. `user_id` is None for a link that makes the first administrator; `expires_at` None: never."""

    ticket_id: int
    kind: TicketKind
    user_id: int | None
    label: str
    created_at: float
    expires_at: float | None = None
    used_at: float | None = None


class Tickets(Store):
    """Tickets of one transaction."""

    def issue(
        self, kind: TicketKind, user_id: int | None, now: float, *, lasts_s: float | None = None, label: str = ""
    ) -> str:
        """Make a ticket and give its token, which is known to nobody else from now on."""
        token = secrets.token_urlsafe(32)
        self._connection.execute(
            insert(tickets).values(
                sha256=_sha256(token),
                kind=kind.value,
                user_id=user_id,
                label=plain(label),
                created_at=now,
                expires_at=None if lasts_s is None else now + lasts_s,
            )
        )
        return token

    def find(self, kind: TicketKind, token: str, now: float) -> Ticket | None:
        """The ticket of this kind whose token it is, as long as it is good; a link that was used is not."""
        query = select(tickets).where(tickets.c.sha256 == _sha256(token), tickets.c.kind == kind.value, _good(now))
        if kind is TicketKind.LINK:
            query = query.where(tickets.c.used_at.is_(None))
        return next(iter(self._tickets(query)), None)

    def use(self, ticket_id: int, now: float) -> bool:
        """Note that it was used; False for a link that somebody has used before."""
        unused = or_(tickets.c.kind != TicketKind.LINK.value, tickets.c.used_at.is_(None))
        this = update(tickets).where(tickets.c.ticket_id == ticket_id, unused)
        return self._connection.execute(this.values(used_at=now)).rowcount == 1

    def of_user(self, user_id: int, kind: TicketKind) -> Sequence[Ticket]:
        """The user's tickets of a kind, oldest first."""
        mine = and_(tickets.c.user_id == user_id, tickets.c.kind == kind.value)
        return self._tickets(select(tickets).where(mine).order_by(tickets.c.ticket_id))

    def revoke(self, ticket_id: int, user_id: int) -> bool:
        """Take one of the user's tickets away; False where it is none."""
        this = and_(tickets.c.ticket_id == ticket_id, tickets.c.user_id == user_id)
        return self._connection.execute(delete(tickets).where(this)).rowcount == 1

    def revoke_all(self, user_id: int, kind: TicketKind | None = None) -> int:
        """Take the user's tickets away, all or those of a kind; gives the number."""
        theirs = delete(tickets).where(tickets.c.user_id == user_id)
        if kind is not None:
            theirs = theirs.where(tickets.c.kind == kind.value)
        return self._connection.execute(theirs).rowcount

    def revoke_first_links(self) -> None:
        """Take away the links that would make a first administrator."""
        first = and_(tickets.c.user_id.is_(None), tickets.c.kind == TicketKind.LINK.value)
        self._connection.execute(delete(tickets).where(first))

    def forget(self, now: float) -> int:
        """Drop what is good no more; gives the number."""
        return self._connection.execute(delete(tickets).where(tickets.c.expires_at <= now)).rowcount

    def _tickets(self, query: Select[Any]) -> list[Ticket]:
        return [_ticket(row) for row in self._connection.execute(query)]


def _good(now: float) -> Any:
    return or_(tickets.c.expires_at.is_(None), tickets.c.expires_at > now)


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _ticket(row: Row[Any]) -> Ticket:
    return Ticket(
        ticket_id=row.ticket_id,
        kind=TicketKind(row.kind),
        user_id=row.user_id,
        label=row.label,
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )
