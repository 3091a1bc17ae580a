"""Index and disk, held against each other: files that no row names are swept, files that rows name are read again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from storage.archive import Archive
from storage.database import Database, Transaction
from storage.errors import Damaged, NotFound
from storage.records import StoredFile
from storage.upkeep.older_database import YOUNG_S, unknown_spans

log = logging.getLogger(__name__)

PREFIXES = tuple(f"{number:02x}" for number in range(256))  # the archive's folders, see archive.py
SOME = 1000  # studies that one transaction writes
UNFINISHED_S = 86400.0  # no object takes so long from its first byte to its last


class Fault(StrEnum):
    """What is wrong with a file that a row names."""

    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Finding:
    """One file that is not what its row says."""

    study_instance_uid: str
    sop_instance_uid: str
    path: str
    fault: Fault


def sweep_orphans(db: Database, archive: Archive, prefix: str, now: float) -> int:
    """Delete the files below ROOT/`prefix` that no row names and that are not young; gives the number.

    They are left by crashes: between file and row of an arrival, whose sender was not told Success, or between
    row and file of a removal. What a database that was put back cannot know of stays.
    """
    swept, begun, unknown = 0, False, unknown_spans(db, archive, now)
    for lot in archive.lots(prefix):
        if not begun:
            _name_folders(db)
            begun = True
        with db.reading() as tx:
            named = _named(tx, lot.folder)
        orphans = [path for path, written in lot.written.items() if path not in named and written < now - YOUNG_S]
        if kept := {path for path in orphans if any(since <= lot.written[path] < till for since, till in unknown)}:
            log.warning("%s: %d files stay that the database, put back, does not name", lot.folder, len(kept))
            orphans = [path for path in orphans if path not in kept]
        if orphans:
            swept += _sweep(db, archive, lot.folder, orphans)
    archive.drop_unfinished(prefix, now - UNFINISHED_S)
    return swept


def audit(
    db: Database, archive: Archive, studies: Sequence[str], told: Callable[[], None] = lambda: None
) -> Iterator[Finding]:
    """Read every file that rows of `studies` name, and give those that are missing or not what was written.

    `told` is called after each study. What leaves by retention meanwhile is no fault.
    """
    for uid in studies:
        with db.reading() as tx:
            files = _files(tx, uid)
        for sop_uid, file in files:
            fault = _fault(archive, file)
            if fault and _still_named(db, uid, file):
                yield Finding(uid, sop_uid, file.path, fault)
        told()


def _files(tx: Transaction, uid: str) -> list[tuple[str, StoredFile]]:
    arrived = [(i.sop_instance_uid, i.file) for i in tx.studies.instances(study_uid=uid, conflicts=True)]
    made = [(result.sop_instance_uid, result.file) for result in tx.results.of_study(uid) if result.removed_at is None]
    return arrived + made


def _fault(archive: Archive, file: StoredFile) -> Fault | None:
    try:
        archive.read(file)
    except NotFound:
        return Fault.MISSING
    except Damaged:
        return Fault.DAMAGED
    return None


def _still_named(db: Database, uid: str, file: StoredFile) -> bool:
    with db.reading() as tx:
        return file.path in tx.removals.named(uid)


def _name_folders(db: Database) -> None:
    """Whose the folders are is known of every study that this release has written; of others it is noted once."""
    while True:
        with db.transaction() as tx:
            if tx.removals.name_folders(SOME) < SOME:
                return


def _named(tx: Transaction, folder: str) -> set[str]:
    uid = tx.removals.owner(folder)
    return tx.removals.named(uid) if uid else set()


def _sweep(db: Database, archive: Archive, folder: str, orphans: Sequence[str]) -> int:
    """Delete `orphans` where nothing names them under the hold either: a row may have come since they were listed."""
    with db.transaction() as tx:
        tx.removals.hold_files()
        tx.removals.name_folders()  # of a release that goes on beside this one
        named = _named(tx, folder)
        gone = [path for path in orphans if path not in named]
        archive.remove(*(StoredFile(path, 0, "") for path in gone))
    log.info("files that no row names were removed", extra={"files": len(gone)})
    return len(gone)
