"""A copy that is consistent while writers write, and the way back."""

import json
import os
import sqlite3
import subprocess
import threading
from contextlib import closing

import psycopg
import pytest

from storage.database import Database
from storage.errors import Damaged, NotFound, StorageError, Unavailable
from storage.files.folder_archive import FolderArchive
from storage.upkeep import backup as module
from storage.upkeep.backup import MANIFEST, POSTGRESQL, SQLITE, backup, read_manifest, restore
from storage.upkeep.reconcile import PREFIXES, audit, sweep_orphans

UID = "1.2.3"
NOW = 1_790_000_000.0


@pytest.fixture
def fill(db, archive, make_instance):
    """`fill(first, last)` stores images of one study, each with its journal entry in the same commit."""

    def add(first, last):
        for number in range(first, last + 1):
            file = archive.write(UID, f"{UID}.1.{number}", [b"image %d" % number])
            with db.transaction() as tx:
                tx.studies.add_instance(make_instance(number, study_instance_uid=UID, file=file))
                tx.journal.add(float(number), "stored", "")

    return add


def test_a_backup_while_writers_write_is_one_moment(db, url, archive, fill, tmp_path):
    """Each commit adds an image, counts it in its study and journals it: in the copy the three agree."""
    fill(1, 3)
    stop = threading.Event()

    def write(first):
        number = first
        while not stop.is_set():
            fill(number, number)
            number += 1

    writers = [threading.Thread(target=write, args=(first,)) for first in (1000, 2000)]
    for writer in writers:
        writer.start()
    try:
        places = [backup(url, archive, tmp_path / "backups", NOW + n)[0] for n in range(3)]
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    for place in places:
        images, counted, journalled = counts_in(place, url)
        assert images == counted == journalled >= 3


def counts_in(place, url):
    queries = ("SELECT count(*) FROM instances", "SELECT images FROM studies", "SELECT count(*) FROM journal")
    if (place / SQLITE).exists():
        with closing(sqlite3.connect(place / SQLITE)) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return [copy.execute(query).fetchone()[0] for query in queries]
    # A dump goes back by PostgreSQL's own program; the rows are read from its script.
    script = subprocess.run(
        ["pg_restore", "--data-only", "-f", "-", str(place / POSTGRESQL)], capture_output=True, text=True, check=True
    ).stdout
    tables = {}
    for block in script.split("\nCOPY public.")[1:]:
        head, _, rest = block.partition("\n")
        tables[head.split(" ")[0]] = rest.split("\n\\.")[0].splitlines()
    (study,) = tables["studies"]
    return [len(tables["instances"]), int(study.split("\t")[5]), len(tables["journal"])]


def test_the_manifest_says_what_is_in_it_and_what_is_not(db, url, archive, fill, tmp_path):
    fill(1, 3)
    place, manifest = backup(url, archive, tmp_path / "backups", NOW)
    assert place.name == "segnode-20260921T141320Z"
    assert read_manifest(place) == manifest
    assert (manifest.rows["instances"], manifest.rows["journal"]) == (3, 3)
    assert (manifest.files_named, manifest.bytes_named, manifest.files_copied) == (3, 21, 0)
    kind = SQLITE if url.startswith("sqlite") else POSTGRESQL
    assert (manifest.schema, manifest.database) == (module.HEAD, kind)
    assert sorted(path.name for path in place.iterdir()) == sorted([kind, MANIFEST])


def test_files_are_linked_where_asked_for_and_outlive_their_removal(db, url, archive, fill, tmp_path):
    fill(1, 3)
    with db.reading() as tx:
        first, *others = [i.file for i in tx.studies.instances(study_uid=UID)]
    archive.remove(first)
    place, manifest = backup(url, archive, tmp_path / "backups", NOW, with_files=True)
    assert (manifest.files_copied, manifest.files_missing) == (2, 1)
    for file in others:
        copy = place / "archive" / file.path
        assert copy.stat().st_ino == archive.path(file).stat().st_ino, "a link costs no space"
        archive.remove(file)
        assert copy.read_bytes().startswith(b"image ")


def test_another_disk_gets_copies(db, url, archive, fill, tmp_path, monkeypatch):
    fill(1, 1)

    def no_links(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(module.os, "link", no_links)
    place, manifest = backup(url, archive, tmp_path / "backups", NOW, with_files=True)
    assert manifest.files_copied == 1
    assert [path.read_bytes() for path in place.rglob("*.dcm")] == [b"image 1"]


def test_a_backup_is_for_nobody_else_to_read(db, url, archive, fill, tmp_path):
    """It names patients; the data folder that it was made of may well be closed to others."""
    fill(1, 1)
    before = os.umask(0o022)
    try:
        place, _ = backup(url, archive, tmp_path / "backups", NOW)
    finally:
        os.umask(before)
    assert place.stat().st_mode & 0o777 == 0o700


def test_what_fails_leaves_no_half_backup(db, url, archive, fill, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_sync_tree", full)
    with pytest.raises(Unavailable, match="No space left"):
        backup(url, archive, tmp_path / "backups", NOW)
    assert list((tmp_path / "backups").iterdir()) == []


def test_what_a_backup_left_that_was_killed_goes_with_a_later_one(db, url, archive, tmp_path):
    left, under_way = tmp_path / "segnode-20260919T141320Z.part", tmp_path / "segnode-20260921T141319Z.part"
    for part, at in ((left, NOW - module.LEFT_S - 60), (under_way, NOW - module.LEFT_S + 60)):
        part.mkdir()
        os.utime(part, (at, at))
    place, _ = backup(url, archive, tmp_path, NOW)
    assert sorted(tmp_path.glob("segnode-*")) == sorted([place, under_way]), "its links kept what retention had removed"


def test_a_backup_is_never_overwritten(db, url, archive, tmp_path):
    backup(url, archive, tmp_path, NOW)
    with pytest.raises(StorageError, match="exists already"):
        backup(url, archive, tmp_path, NOW)


def test_everything_is_synced_before_it_gets_its_name(db, url, archive, fill, tmp_path, monkeypatch):
    fill(1, 1)
    synced, sync = [], os.fsync

    def note(descriptor):
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    monkeypatch.setattr(module.os, "fsync", note)
    place, manifest = backup(url, archive, tmp_path / "backups", NOW)
    assert {manifest.database, MANIFEST, f"{place.name}.part"} <= set(synced)
    assert synced[-1] == "backups"


class TestRestore:
    """SQLite only; nothing that is there is touched."""

    @pytest.fixture
    def saved(self, tmp_path, make_instance):
        database, archive = Database.open(f"sqlite:///{tmp_path}/node.db"), FolderArchive(tmp_path / "archive")
        file = archive.write(UID, f"{UID}.1.1", [b"image 1"])
        with database.transaction() as tx:
            tx.studies.add_instance(make_instance(1, study_instance_uid=UID, file=file))
        database.close()
        return backup(f"sqlite:///{tmp_path}/node.db", archive, tmp_path / "backups", NOW, with_files=True)[0]

    def test_brings_rows_and_files_back(self, saved, tmp_path):
        url, archive = f"sqlite:///{tmp_path}/new/node.db", FolderArchive(tmp_path / "new/archive")
        restore(saved, url, archive, NOW)
        database = Database.open(url, create=False)
        with database.reading() as tx:
            assert tx.studies.get(UID).images == 1
        assert list(audit(database, archive, [UID])) == []
        database.close()

    def test_what_was_acknowledged_after_the_backup_is_not_swept(self, saved, tmp_path):
        """The way back after an upgrade: its senders were told Success, and the older database does not know of it."""
        archive, url = FolderArchive(tmp_path / "archive"), f"sqlite:///{tmp_path}/node.db"
        late = archive.write("1.2.9", "1.2.9.1.1", [b"image that came after the backup"])
        os.utime(archive.path(late), (NOW + 60, NOW + 60))
        (tmp_path / "node.db").rename(tmp_path / "broken.db")
        restore(saved, url, archive, NOW + 120)
        database = Database.open(url, create=False)
        for at in (NOW + 420, NOW + 7 * 86400):
            assert sum(sweep_orphans(database, archive, prefix, at) for prefix in PREFIXES) == 0
        database.close()
        assert archive.read(late) == b"image that came after the backup"

    def test_overwrites_nothing(self, saved, tmp_path):
        before = (tmp_path / "node.db").read_bytes()
        with pytest.raises(StorageError, match="overwrites nothing"):
            restore(saved, f"sqlite:///{tmp_path}/node.db", FolderArchive(tmp_path / "archive"), NOW)
        assert (tmp_path / "node.db").read_bytes() == before

    @pytest.mark.parametrize("left", ["-wal", "-shm", "-journal"])
    def test_takes_no_log_of_another_database_for_its_own(self, saved, tmp_path, left):
        """The log of a node that was killed holds rows, and SQLite would add them to the restored database."""
        (tmp_path / "node.db").rename(tmp_path / "broken.db")
        (tmp_path / f"node.db{left}").write_bytes(b"what the dead node had not written into its database yet")
        with pytest.raises(StorageError, match=f"node.db{left} is .* move it away"):
            restore(saved, f"sqlite:///{tmp_path}/node.db", FolderArchive(tmp_path / "archive"), NOW)
        assert not (tmp_path / "node.db").exists()

    def test_refuses_a_copy_that_is_no_database_any_more(self, saved, tmp_path):
        (saved / SQLITE).write_bytes(b"lost sectors" * 1000)
        with pytest.raises(Damaged, match=r"database\.sqlite"):
            restore(saved, f"sqlite:///{tmp_path}/new/node.db", FolderArchive(tmp_path / "new/archive"), NOW)
        assert list((tmp_path / "new").glob("node.db*")) == []

    def test_refuses_a_newer_release_a_damaged_copy_and_what_is_no_backup(self, saved, tmp_path):
        url, archive = f"sqlite:///{tmp_path}/new/node.db", FolderArchive(tmp_path / "new/archive")
        told = json.loads((saved / MANIFEST).read_text())
        (saved / MANIFEST).write_text(json.dumps(told | {"schema": "9999"}))
        with pytest.raises(StorageError, match="newer release"):
            restore(saved, url, archive, NOW)
        (saved / MANIFEST).write_text(json.dumps(told | {"database": POSTGRESQL}))
        with pytest.raises(StorageError, match="pg_restore"):
            restore(saved, url, archive, NOW)
        with pytest.raises(NotFound, match="no backup of segnode"):
            restore(tmp_path, url, archive, NOW)
        assert not (tmp_path / "new/node.db").exists()


def test_without_pg_dump_one_sentence_says_what_to_install(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    with pytest.raises(StorageError, match="postgresql-client"):
        backup("postgresql://node@/node?host=/nowhere", archive, tmp_path, NOW)
    assert list(tmp_path.glob("segnode*")) == []


def test_a_dump_that_fails_is_told_without_the_password(archive, tmp_path):
    with pytest.raises(Unavailable, match="pg_dump failed") as told:
        backup(f"postgresql://node:secret@/node?host={tmp_path}", archive, tmp_path, NOW)
    assert "secret" not in str(told.value)


def test_a_dump_is_restored_by_postgresqls_own_program(db, url, archive, fill, tmp_path, request):
    if url.startswith("sqlite"):
        url = request.getfixturevalue("migrated_postgres")()  # the test is PostgreSQL's either way
    place, _ = backup(url, archive, tmp_path, NOW)
    empty = request.getfixturevalue("fresh_postgres")()
    done = subprocess.run(
        ["pg_restore", "--no-owner", "--dbname", empty, str(place / POSTGRESQL)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (module.HEAD,)
    Database.open(empty, create=False).close()
