"""A copy of the database that is consistent while the node runs, and the way back.

    FOLDER/segnode-STAMP/database.sqlite | database.pgdump    the index, queue, outbox and journal
    FOLDER/segnode-STAMP/archive/…                            the files that it names, where they are asked for
    FOLDER/segnode-STAMP/manifest.json                        what is in it, and what is not

A backup appears under its name when all of it is on the disk.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from storage.archive import Archive
from storage.errors import Damaged, NotFound, StorageError, Unavailable
from storage.files.durable import sync
from storage.migrations import HEAD
from storage.sql.engines import make_engine
from storage.sql.tables_audit import metadata
from storage.upkeep.older_database import note_older
from storage.upkeep.removals import Removals

SQLITE, POSTGRESQL, ARCHIVE, MANIFEST = "database.sqlite", "database.pgdump", "archive", "manifest.json"
LOGS = ("-wal", "-shm", "-journal")  # beside a SQLite file whose program died; who opens that file takes them up
DUMP_LIMIT_S = 6 * 3600.0
LEFT_S = 7 * 86400.0  # no backup takes so long, with all files of an object storage either


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. Without files the archive's folder is to be saved by other means, after the database."""

    made_at: str
    schema: str
    database: str
    rows: dict[str, int]  # by table; for PostgreSQL those of the moment after the dump
    files_named: int  # that the database refers to
    bytes_named: int
    files_copied: int
    files_missing: int  # gone between the copy of the database and theirs: retention took them


def backup(url: str, archive: Archive, folder: Path, now: float, *, with_files: bool = False) -> tuple[Path, Manifest]:
    """Make a backup in `folder` and give its place. StorageError says what is missing or went wrong."""
    parsed = make_url(url)
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    final = folder / f"segnode-{stamp}"
    part = folder / f"segnode-{stamp}.part"
    with _disk():
        if final.exists():
            raise StorageError(f"{final} exists already; nothing was written")
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("segnode-*.part"):  # of one that was killed; its links keep what retention removes
            if left.stat().st_mtime < now - LEFT_S:
                shutil.rmtree(left, ignore_errors=True)
        part.mkdir(mode=0o700)  # patients are named in it
    try:
        if parsed.get_backend_name() == "sqlite":
            _copy_sqlite(parsed, part / SQLITE)
            named, manifest = _described(f"sqlite:///{part / SQLITE}", stamp, SQLITE)
        else:
            _dump_postgresql(parsed, part / POSTGRESQL)
            named, manifest = _described(url, stamp, POSTGRESQL)  # of a moment later: nothing that it holds is missed
        with _disk():
            if with_files:
                copied = archive.save(named, part / ARCHIVE)
                changed = {"files_copied": copied, "files_missing": len(named) - copied}
                manifest = Manifest(**asdict(manifest) | changed)
            (part / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
            _sync_tree(part)
            part.rename(final)
            sync(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # whatever went wrong; where nothing did, it has its final name
    return final, manifest


def restore(source: Path, url: str, archive: Archive, now: float) -> Manifest:
    """Put a backup where nothing is: the database of `url`, and the files it brings. Overwrites nothing.

    The archive knows of it, so that what came after the backup, and that database does not know of, is not swept.
    """
    manifest = read_manifest(source)
    if manifest.schema > HEAD:
        raise StorageError(f"the backup is of a newer release (schema {manifest.schema}, ours is {HEAD})")
    if manifest.database != SQLITE:
        note_older(archive, now)  # who asks is about to restore it
        raise StorageError(
            "a dump of PostgreSQL is restored by its own program into an empty database: "
            f"pg_restore --no-owner --dbname URL {source / POSTGRESQL}"
        )
    target = Path(str(make_url(url).database))
    if make_url(url).get_backend_name() != "sqlite" or target.exists():
        raise StorageError(f"{target} is there already, or is no SQLite file; restore overwrites nothing")
    left = next((log for ending in LOGS if (log := target.with_name(target.name + ending)).exists()), None)
    if left is not None:
        raise StorageError(f"{left} is another database's: its rows would get into the restored one; move it away")
    _check(source / SQLITE)
    with _disk():
        files = source / ARCHIVE
        archive.put_back([path.relative_to(files).as_posix() for path in sorted(files.rglob("*.dcm"))], files)
        target.parent.mkdir(parents=True, exist_ok=True)
        note_older(archive, now)
        part = target.with_name(target.name + ".part")
        shutil.copyfile(source / SQLITE, part)
        _sync_tree(target.parent, only=part)
        part.rename(target)
        sync(target.parent)
    return manifest


def read_manifest(source: Path) -> Manifest:
    """What a backup says of itself; NotFound where there is none."""
    try:
        return Manifest(**json.loads((source / MANIFEST).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise NotFound(f"{source} holds no backup of segnode ({type(error).__name__})") from error


def _copy_sqlite(url: URL, target: Path) -> None:
    path = Path(str(url.database))
    if not path.is_file():
        raise NotFound(f"no database at {path}")
    try:
        # One step: a reader's view of one moment, while writers go on (WAL); they never make it begin again.
        with closing(sqlite3.connect(path, timeout=30)) as live, closing(sqlite3.connect(target)) as copy:
            live.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        _check(target)
    except sqlite3.Error as error:
        raise Unavailable(f"the database could not be copied: {error}") from error


def _dump_postgresql(url: URL, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise StorageError("pg_dump is missing: install PostgreSQL's client (Debian: postgresql-client)")
    plain = url.set(drivername="postgresql", password=None).render_as_string()
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}  # not on the command line, which all can read
    command = [program, "--format=custom", "--no-password", f"--file={target}", f"--dbname={plain}"]
    done = subprocess.run(
        command, env={**os.environ, **secret}, capture_output=True, text=True, timeout=DUMP_LIMIT_S, check=False
    )
    if done.returncode != 0:
        raise Unavailable(f"pg_dump failed: {next(iter(done.stderr.splitlines()), 'it says nothing')}")


def _described(url: str, stamp: str, kind: str) -> tuple[list[str], Manifest]:
    """The files that a database names, and its manifest."""
    engine = make_engine(url)
    try:
        with engine.connect() as connection, connection.begin():
            rows = {
                table.name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
                for table in metadata.sorted_tables
            }
            schema = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
            named = Removals(connection).every_file()
    except DBAPIError as error:
        raise Unavailable(f"the database does not answer: {type(error.orig).__name__}") from None
    finally:
        engine.dispose()
    total = sum(size for _, size in named)
    return [path for path, _ in named], Manifest(stamp, schema, kind, rows, len(named), total, 0, 0)


def _check(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            (answer,) = copy.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        answer = str(error)
    if answer != "ok":
        raise Damaged(f"{path} fails SQLite's integrity check: {answer}")


def _sync_tree(folder: Path, only: Path | None = None) -> None:
    """Make a folder's files and names durable; linked files are so already, and cost little."""
    for path in [only] if only else sorted(folder.rglob("*")):
        sync(path)
    sync(folder)


@contextmanager
def _disk() -> Iterator[None]:
    """The operating system's errors as ours."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"the backup's disk failed: {error.strerror}: {error.filename}") from error
