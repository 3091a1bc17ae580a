"""Commands that programs gave under a key of their own, and their answers: asked again, they are not done again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select

from storage.errors import IllegalStep
from storage.sql.store import Store
from storage.sql.tables_people import commands

KEPT_S = 24 * 3600.0


class Commands(Store):
    """Answered commands of one transaction. A key is its user's own."""

    def answer(self, user_id: int, key: str, asked: str) -> dict[str, Any] | None:
        """What was answered under this key; None where it is new. IllegalStep where it was used to ask otherwise."""
        this = (commands.c.user_id == user_id, commands.c.key == key)
        row = self._connection.execute(select(commands).where(*this)).one_or_none()
        if row is None:
            return None
        if row.asked != asked:
            raise IllegalStep("this Idempotency-Key was used for another command; take a new one")
        return dict(row.answer)

    def keep(self, user_id: int, key: str, asked: str, answer: Mapping[str, Any], now: float) -> None:
        """Keep the answer, in the commit of what was done. IllegalStep where it is being done elsewhere."""
        if not self._add(commands, user_id=user_id, key=key, asked=asked, answer=dict(answer), at=now):
            raise IllegalStep("the same command is being done; ask again")

    def forget(self, now: float) -> int:
        """Drop the answers of yesterday; gives the number."""
        return self._connection.execute(delete(commands).where(commands.c.at <= now - KEPT_S)).rowcount
