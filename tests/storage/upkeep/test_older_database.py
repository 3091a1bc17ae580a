"""Put back by whatever way, or another one: it does not know what came meanwhile, which was acknowledged."""

import os

import pytest

from storage.database import Database
from storage.files.durable import put_in_place
from storage.files.folder_archive import FolderArchive
from storage.upkeep.older_database import SWEPT, YOUNG_S
from storage.upkeep.reconcile import sweep_orphans

BACK = 1_790_000_000.0  # when the older database begins to run


def sweep(db, archive, at):
    return sweep_orphans(db, archive, archive.folder("1.2.9").relative_to(archive.root).parts[0], at)


def arrived(archive, at):
    file = archive.write("1.2.9", f"1.2.9.1.{int(at)}", [b"of %d" % at])
    os.utime(archive.path(file), (at, at))
    return file


@pytest.fixture
def lost(db, tmp_path, archive):
    """The database that ran until an hour before; the older one is as it was ten hours earlier."""
    newer = Database.open(f"sqlite:///{tmp_path}/newer.db")
    sweep(db, archive, BACK - 39_600)
    with newer.transaction() as tx:
        tx.notices.watch(SWEPT, BACK - 39_600)
    sweep(newer, archive, BACK - 3600)
    yield newer
    newer.close()


def test_takes_no_file_of_the_time_that_it_does_not_know(db, archive, lost):
    late = arrived(archive, BACK - 4000)
    for at in (BACK, BACK + 300, BACK + 30 * 86400):
        assert sweep(db, archive, at) == 0
    assert archive.read(late) == b"of %d" % (BACK - 4000)
    with db.reading() as tx:
        (told,) = [entry for entry in tx.journal.recent(9) if entry.event == "older database"]
    assert (told.at, told.study_instance_uid) == (BACK, "")


def test_knows_what_was_before_and_what_comes_after(db, archive, lost):
    before, later = arrived(archive, BACK - 50_000), arrived(archive, BACK + 60)
    late = arrived(archive, BACK - 39_000)
    assert sweep(db, archive, BACK) == 1
    assert sweep(db, archive, BACK + YOUNG_S + 61) == 1
    assert archive.sizes([before, late, later]) == [None, late.size, None]


def test_that_is_not_forgotten_where_the_node_ends_over_it(db, archive, lost, monkeypatch):
    late = arrived(archive, BACK - 4000)
    notes = []

    def once(path, text):
        if notes:
            raise KeyboardInterrupt
        notes.append(text)
        put_in_place(path, text)

    with monkeypatch.context() as patched:
        patched.setattr("storage.files.folder_archive.put_in_place", once)
        with pytest.raises(KeyboardInterrupt):
            sweep(db, archive, BACK)
    assert sweep(db, archive, BACK + 30 * 86400) == 0
    assert archive.sizes([late]) == [late.size]


def test_a_new_archive_has_no_such_time(db, tmp_path):
    archive = FolderArchive(tmp_path / "new")
    arrived(archive, BACK - 4000)
    assert sweep(db, archive, BACK) == 1
