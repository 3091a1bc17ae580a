"""Append-only history, written in the same commit as what it tells.

Each step of a study and each wish of a person is told here, so an entry rings for those who wait for work (bell.py).

Who follows it goes on behind the last number seen. PostgreSQL gives a number when an entry is written and shows it when
that is committed, so a later one may be seen first. There each transaction says before its first entry which number is
the newest (by an advisory lock that nobody waits for), and nobody follows further than those that are open have said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from sqlalchemy import Connection, Row, Select, func, insert, select, text

from storage.records import JournalEntry
from storage.sql.bell import ring
from storage.sql.store import Store
from storage.sql.words import at_most
from storage.tables import journal
from storage.texts import plain

OPEN = 0x5E67 << 48  # our advisory locks of one number: this and an entry's number, which are fewer than 2**48
ANNOUNCE = text("SELECT pg_advisory_xact_lock_shared(:open + coalesce(max(entry_id), 0)) FROM journal")
ANNOUNCED = text(
    "SELECT min(((CAST(classid AS bigint) << 32) | CAST(objid AS bigint)) - :open) FROM pg_locks"
    " WHERE locktype = 'advisory' AND objsubid = 1 AND CAST(classid AS bigint) >> 16 = :open >> 48"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()"
)


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
        self._begun = False

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
        if not self._begun:
            self._begin()
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

    def follow(self, seen: float | None, limit: int) -> tuple[list[JournalEntry], int]:
        """The entries that one who has seen those up to `seen` has not, oldest first, and up to where it then has.

        Nothing is given behind an entry that is still to come. Who has seen none follows from here on; so does one that
        has seen more than there is, since the database was put back from a backup.
        """
        newest = self.newest()
        settled = self._settled(newest)
        if seen is None or seen > newest:
            return [], settled
        later = select(journal).where(journal.c.entry_id > int(seen), journal.c.entry_id <= settled)
        entries = self._entries(later.order_by(journal.c.entry_id).limit(at_most(limit)))
        return entries, entries[-1].entry_id if entries else int(seen)

    def _settled(self, newest: int) -> int:
        """The newest number before which no entry is still to come.

        `newest` was asked before the question who is open: what is written in between has a larger number.
        """
        if self._dialect != "postgresql":
            return newest
        announced = self._connection.execute(ANNOUNCED, {"open": OPEN}).scalar()
        return newest if announced is None else min(newest, int(announced))

    def _begin(self) -> None:
        ring(self._connection)
        if self._dialect == "postgresql":
            self._connection.execute(ANNOUNCE, {"open": OPEN})
        self._begun = True

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
