"""Append-only history, written in the same commit as what it tells.

Each step of a study and each wish of a person is told here, so an entry rings for those who wait for work (bell.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection, Row, Select, func, insert, select

from storage.records import JournalEntry
from storage.sql.bell import ring
from storage.sql.store import Store
from storage.sql.words import at_most
from storage.tables import journal
from storage.texts import plain


class About(TypedDict, total=False):
    """Whom an entry concerns, and under which configuration revision it happened."""

    study: str
    series: str
    job: str
    revision: int
    detail: Mapping[str, Any] | None


class Journal(Store):
    """The journal, seen from one transaction."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._rung = False

    def add(self, at: float, event: str, text: str, **about: Unpack[About]) -> int:
        """Write an entry and give its number. `text` is one plain sentence that names no patient."""
        entry = insert(journal).values(
            at=at,
            event=event,
            text=plain(text),
            study_uid=about.get("study", ""),
            series_uid=about.get("series", ""),
            job_id=about.get("job", ""),
            revision=about.get("revision", 0),
            detail=dict(about.get("detail") or {}),
        )
        if not self._rung:
            ring(self._connection)
            self._rung = True
        return int(self._connection.execute(entry.returning(journal.c.entry_id)).scalar_one())

    def of_study(self, uid: str) -> list[JournalEntry]:
        """The study's history, oldest first."""
        return self._entries(select(journal).where(journal.c.study_uid == uid).order_by(journal.c.entry_id))

    def of_job(self, job_id: str) -> list[JournalEntry]:
        """The job's history, oldest first."""
        return self._entries(select(journal).where(journal.c.job_id == job_id).order_by(journal.c.entry_id))

    def recent(self, limit: int) -> list[JournalEntry]:
        """The newest first."""
        return self._entries(select(journal).order_by(journal.c.entry_id.desc()).limit(at_most(limit)))

    def newest(self) -> int:
        """The number of the newest entry; 0 before the first."""
        return int(self._connection.execute(select(func.max(journal.c.entry_id))).scalar() or 0)

    def since(self, entry_id: int, limit: int) -> list[JournalEntry]:
        """The entries after this one, oldest first."""
        later = select(journal).where(journal.c.entry_id > entry_id)
        return self._entries(later.order_by(journal.c.entry_id).limit(at_most(limit)))

    def _entries(self, query: Select[Any]) -> list[JournalEntry]:
        return [_entry(row) for row in self._connection.execute(query)]


def _entry(row: Row[Any]) -> JournalEntry:
    return JournalEntry(
        entry_id=row.entry_id,
        at=row.at,
        event=row.event,
        text=row.text,
        study_instance_uid=row.study_uid,
        series_instance_uid=row.series_uid,
        job_id=row.job_id,
        revision=row.revision,
        detail=row.detail,
    )
