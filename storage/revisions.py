"""Numbered revisions of the configuration: each load that differs from the newest is one."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from storage.store import Store
from storage.tables import revisions


class Revisions(Store):
    """Configuration revisions of one transaction."""

    def record(self, sha256: str, content: Mapping[str, str], at: float) -> int:
        """Give this content's number: the newest revision's where the hash is the same, else the next.

        Where another process records at the same moment, its row is looked at again.
        """
        while True:
            number, newest = self.newest() or (0, None)
            if newest == sha256:
                return number
            if self._add(revisions, number=number + 1, sha256=sha256, content=dict(content), at=at):
                return number + 1

    def newest(self) -> tuple[int, str] | None:
        """Number and hash of the newest revision."""
        query = select(revisions.c.number, revisions.c.sha256).order_by(revisions.c.number.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else (row.number, row.sha256)

    def content(self, number: int) -> dict[str, str] | None:
        """What the files of a revision said, by name."""
        return self._connection.execute(
            select(revisions.c.content).where(revisions.c.number == number)
        ).scalar_one_or_none()
