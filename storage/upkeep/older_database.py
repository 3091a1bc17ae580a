"""A database that is older than its files: put back from a backup, or another one.

Database and archive note each sweep. Where the archive knows of a later one, the database does not know what came
meanwhile, which was acknowledged.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from storage.archive import Archive
from storage.database import Database

log = logging.getLogger(__name__)

YOUNG_S = 3600.0  # a file may wait so long for the commit of its row
SWEPT = "archive swept"  # as `Notices.watch` keeps it

Span = tuple[float, float]  # two moments in seconds since 1970


def note_older(archive: Archive, now: float) -> None:
    """Have the archive know that its database is put back as it was at an earlier time than `now`."""
    _note(archive, now, _spans(archive)[1])


def unknown_spans(db: Database, archive: Archive, now: float) -> list[Span]:
    """When files were written that the database may not name although their senders were told Success.

    To be asked before each sweep, which it notes. That the database is older is noted first with the files, since they
    outlive such databases.
    """
    noted, unknown = _spans(archive)
    with db.reading() as tx:
        last = tx.notices.watched(SWEPT) or 0.0
    if noted == last == now:
        return unknown
    if older := noted > last:
        unknown = [span for span in unknown if span[0] != last - YOUNG_S] + [(last - YOUNG_S, now)]
        _note(archive, noted, unknown)
    with db.transaction() as tx:
        tx.notices.watch(SWEPT, now)
        if older:
            text = "the database is older than its files; those that it does not name stay: what came since is lacking"
            tx.journal.add(now, "older database", text, detail={"since": last, "until": now})
            log.error("%s", text)
    _note(archive, now, unknown)
    return unknown


def last_swept(db: Database) -> float | None:
    """When the archive was swept last, as this database knows it: every few minutes while a node runs; None: never."""
    with db.reading() as tx:
        return tx.notices.watched(SWEPT)


def _spans(archive: Archive) -> tuple[float, list[Span]]:
    """When the archive was swept last, and the spans of time that databases of it did not know."""
    noted = json.loads(archive.noted() or "{}")
    return noted.get("swept", 0.0), [(since, until) for since, until in noted.get("unknown", ())]


def _note(archive: Archive, swept: float, unknown: Sequence[Span]) -> None:
    archive.note(json.dumps({"swept": swept, "unknown": unknown}))
