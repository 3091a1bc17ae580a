"""Opening, transactions, and what survives."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from storage import database as module
from storage.database import Database
from storage.errors import NotFound, SchemaTooNew, StorageError, Unavailable
from storage.migrations import HEAD

ROOT = Path(module.__file__).parent.parent
PRAGMAS = {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000}  # 2 is FULL


def python(code, *arguments, **options):
    """Another process of this program."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def events(db):
    with db.reading() as tx:
        return [entry.event for entry in tx.journal.recent(100)]


def test_open_makes_the_database_and_opens_it_again(empty_url):
    first = Database.open(empty_url)
    with first.transaction() as tx:
        tx.journal.add(1.0, "kept", "")
    first.close()
    again = Database.open(empty_url, create=False)
    assert events(again) == ["kept"]
    again.close()


def test_open_can_be_told_to_make_nothing(empty_url, tmp_path):
    with pytest.raises(NotFound):
        Database.open(empty_url, create=False)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_too(tmp_path):
    Database.open(f"sqlite:///{tmp_path}/deep/down/node.db").close()
    assert (tmp_path / "deep/down/node.db").is_file()


def test_a_current_database_is_opened_without_alembic_or_the_other_driver(url):
    code = """
import json, sys
from storage.database import Database
Database.open(sys.argv[1]).close()
print(json.dumps(sorted({"alembic", "psycopg"} & set(sys.modules))))
"""
    out, err = python(code, url).communicate()
    expected = ["psycopg"] if url.startswith("postgresql") else []
    assert json.loads(out) == expected, err


def test_several_processes_may_open_a_new_database_at_once(empty_url):
    code = """
import os, sys
from storage.database import Database
database = Database.open(sys.argv[1])
with database.transaction() as tx:
    tx.processes.beat("web", os.getpid(), "host", 1.0, 1.0, (), {})
database.close()
"""
    started = [python(code, empty_url) for _ in range(4)]
    for process in started:
        _, err = process.communicate()
        assert process.returncode == 0, err
    database = Database.open(empty_url)
    with database.reading() as tx:
        assert {row.pid for row in tx.processes.list(1.0)} == {process.pid for process in started}
    database.close()


def test_processes_and_threads_write_at_once_and_lose_nothing(db, url):
    code = """
import sys, threading
from storage.database import Database
database = Database.open(sys.argv[1])
def write():
    for number in range(15):
        with database.transaction() as tx:
            tx.journal.add(1.0, sys.argv[2], "")
threads = [threading.Thread(target=write) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
database.close()
"""
    started = [python(code, url, name) for name in ("one", "two")]
    for process in started:
        _, err = process.communicate()
        assert (process.returncode, err) == (0, "")
    assert (events(db).count("one"), events(db).count("two")) == (30, 30)


def test_what_was_committed_outlives_a_killed_process(db, url):
    code = """
import sys, time
from storage.database import Database
database = Database.open(sys.argv[1])
with database.transaction() as tx:
    tx.journal.add(1.0, "committed", "")
with database.transaction() as tx:
    tx.journal.add(2.0, "not committed", "")
    print("now", flush=True)
    time.sleep(60)
"""
    process = python(code, url)
    assert process.stdout.readline() == "now\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with db.transaction() as tx:
        tx.journal.add(3.0, "after", "")
    assert events(db) == ["after", "committed"]


def test_sqlite_syncs_every_commit(tmp_path):
    db = Database.open(f"sqlite:///{tmp_path}/node.db")
    with db.transaction() as tx:
        pragma = {name: tx._connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS}
    db.close()
    assert pragma == PRAGMAS


def test_an_exception_takes_everything_back(db):
    def step():
        with db.transaction() as tx:
            tx.journal.add(1.0, "one", "")
            tx.revisions.record("aaa", {}, 1.0)
            raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        step()
    with db.reading() as tx:
        assert (tx.journal.recent(1), tx.revisions.newest()) == ([], None)


def test_nobody_sees_what_is_not_committed(db):
    with db.transaction() as tx:
        tx.journal.add(1.0, "one", "")
        assert events(db) == []
    assert events(db) == ["one"]


def test_reading_cannot_write(db):
    with pytest.raises(StorageError, match=r"(?i)read-?only"), db.reading() as tx:
        tx.journal.add(1.0, "one", "")
    assert events(db) == []
    with db.transaction() as tx:
        tx.journal.add(1.0, "two", "")
    assert events(db) == ["two"]


def test_threads_take_turns(db):
    def write(name):
        for _ in range(10):
            with db.transaction() as tx:
                tx.journal.add(1.0, name, "")

    threads = [threading.Thread(target=write, args=(f"{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(events(db)) == 40


def test_a_busy_database_is_unavailable_to_threads_and_to_processes(tmp_path, monkeypatch):
    monkeypatch.setattr("storage.database.BUSY_S", 0.01)
    monkeypatch.setattr("storage.sql.engines.BUSY_S", 0.01)
    url = f"sqlite:///{tmp_path}/node.db"
    mine, theirs = Database.open(url), Database.open(url)
    with mine.transaction():
        with pytest.raises(Unavailable, match="another thread"), mine.transaction():
            pass
        with pytest.raises(Unavailable, match="locked"), theirs.transaction():
            pass
        with theirs.reading() as tx:
            assert tx.journal.recent(1) == []
    mine.close()
    theirs.close()


def test_a_server_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="does not answer"):
        Database.open(f"postgresql://node:secret@/node?host={tmp_path}")


def test_errors_name_no_values(db, make_job):
    with pytest.raises(StorageError) as refused, db.transaction() as tx:
        tx.jobs.add(make_job(study_instance_uid="1.2.3", parameters={"PatientName": "Doe^Jane"}))
    assert "Doe" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_database_of_a_newer_release_is_left_alone(db, url):
    with db.transaction() as tx:
        tx._connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        tx._connection.exec_driver_sql("DELETE FROM compatibility")
    try:
        with pytest.raises(SchemaTooNew, match="newer release"):
            Database.open(url)
    finally:
        with db.transaction() as tx:
            tx._connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")


def test_this_machines_clock_is_compared_with_the_databases(db, monkeypatch):
    assert abs(db.clock_ahead_s()) < 5.0
    ahead = time.time() + 3600.0
    monkeypatch.setattr(module.time, "time", lambda: ahead)
    if db.has_one_writer:
        assert db.clock_ahead_s() == 0.0, "it is the same clock"
    else:
        assert 3500.0 < db.clock_ahead_s() < 3700.0
