"""Copies of audit messages: kept for some time, looked for by who, what, which study and when, the newest first."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import delete, insert, or_, select, tuple_

from storage.arriving.headers import as_searched
from storage.sql.store import Store
from storage.sql.tables_audit import audit_records
from storage.sql.words import at_most
from storage.texts import plain

MOST_WORDS = 8


@dataclass(frozen=True)
class AuditEntry:
    """A message (XML, PS3.15 A.5.1) with its time in seconds since 1970, and what it is looked for by.

    `event` is its Audit Event ID, `kind` its Event Type Code, "" where it has none; `who` has names, titles and
    addresses of all who took part.
    """

    at: float
    event: str
    kind: str
    who: str
    study_uid: str
    message: str = field(repr=False)
    record_id: int = 0


@dataclass(frozen=True)
class AuditSought:
    """What is looked for: each of `words` among those who took part; `action` is an event or a kind.

    `since` and `until` (not included) in seconds since 1970; `after` is (at, record_id) of the last one of the page
    before.
    """

    words: str = ""
    action: str = ""
    study_uid: str = ""
    since: float | None = None
    until: float | None = None
    after: tuple[float, int] | None = None
    limit: int = 50


class AuditRecords(Store):
    """The copies, seen from one transaction."""

    def add(self, entry: AuditEntry) -> None:
        """Keep a copy; its number is given here."""
        values = {
            "at": entry.at,
            "event": entry.event,
            "kind": entry.kind,
            "who": as_searched(entry.who),
            "study_uid": entry.study_uid,
            "message": plain(entry.message),
        }
        self._connection.execute(insert(audit_records), values)

    def page(self, sought: AuditSought) -> list[AuditEntry]:
        """At most `limit` of them, the newest first."""
        table = audit_records.c
        query = select(audit_records).order_by(table.at.desc(), table.record_id.desc()).limit(at_most(sought.limit))
        if sought.study_uid:
            query = query.where(table.study_uid == sought.study_uid)
        if sought.action:
            query = query.where(or_(table.event == sought.action, table.kind == sought.action))
        if sought.since is not None:
            query = query.where(table.at >= sought.since)
        if sought.until is not None:
            query = query.where(table.at < sought.until)
        if sought.after is not None:
            query = query.where(tuple_(table.at, table.record_id) < tuple_(*sought.after))
        for word in as_searched(sought.words).split()[:MOST_WORDS]:
            query = query.where(table.who.contains(word, autoescape=True))
        return [AuditEntry(**row) for row in self._connection.execute(query).mappings()]

    def forget(self, before: float) -> int:
        """Drop those from before that time; gives the number."""
        return self._connection.execute(delete(audit_records).where(audit_records.c.at < before)).rowcount
