"""Numbered revisions of the configuration: each load that differs from the newest is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Row, select

from storage.sql.store import Store
from storage.sql.tables_node import revisions
from storage.sql.words import at_most

_BY, _WHAT = "changed by", "what changed"  # kept beside the files; no file has such a name


@dataclass(frozen=True)
class Revision:
    """What the files said from `at` on. `by` and `what` are empty where they were changed outside the program."""

    number: int
    sha256: str
    at: float
    content: Mapping[str, str]
    by: str = ""
    what: str = ""


class Revisions(Store):
    """Configuration revisions of one transaction."""

    def record(self, sha256: str, content: Mapping[str, str], at: float, *, by: str = "", what: str = "") -> int:
        """Give this content's number: the newest revision's where the hash is the same, else the next.

        `by` says who changed it and `what` what, where that is known. Where another process records at the same
        moment, its row is looked at again.
        """
        kept = dict(content) | ({_BY: by, _WHAT: what} if by or what else {})
        while True:
            number, newest = self.newest() or (0, None)
            if newest == sha256:
                return number
            if self._add(revisions, number=number + 1, sha256=sha256, content=kept, at=at):
                return number + 1

    def newest(self) -> tuple[int, str] | None:
        """Number and hash of the newest revision."""
        query = select(revisions.c.number, revisions.c.sha256).order_by(revisions.c.number.desc()).limit(at_most(1))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else (row.number, row.sha256)

    def content(self, number: int) -> dict[str, str] | None:
        """What the files of a revision said, by name."""
        found = self.find(number)
        return dict(found.content) if found else None

    def find(self, number: int) -> Revision | None:
        """One revision; None where there is none of this number."""
        row = self._connection.execute(select(revisions).where(revisions.c.number == number)).one_or_none()
        return _revision(row) if row else None

    def list(self, limit: int, before: int | None = None) -> list[Revision]:
        """The newest first; only those before number `before`, where that is given."""
        query = select(revisions).order_by(revisions.c.number.desc()).limit(at_most(limit))
        if before is not None:
            query = query.where(revisions.c.number < before)
        return [_revision(row) for row in self._connection.execute(query)]


def _revision(row: Row[tuple[object, ...]]) -> Revision:
    content = dict(row.content)
    by, what = content.pop(_BY, ""), content.pop(_WHAT, "")
    return Revision(row.number, row.sha256, row.at, content, by, what)
