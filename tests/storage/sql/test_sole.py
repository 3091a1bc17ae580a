"""One process holds a place at a time; another has it when that one leaves, dies, or loses its session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import storage
from storage.database import Database
from storage.errors import Unavailable
from storage.sql.engines import WRITING, make_engine
from storage.sql.sole import _SessionPlaces

HOLDER = """
import sys, time
from storage.database import Database
print(Database.open(sys.argv[1]).sole("clock").hold(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def other(url):
    database = Database.open(url)
    yield database
    database.close()


def eventually(sole) -> bool:
    deadline = time.monotonic() + 20
    while not sole.hold() and time.monotonic() < deadline:
        time.sleep(0.02)
    return sole.hold()


def test_one_at_a_time(db, other):
    assert db.sole("clock").hold()
    assert db.sole("clock").hold(), "and it goes on holding it"
    assert not other.sole("clock").hold()
    assert other.sole("correct").hold(), "another place is another"
    db.sole("clock").leave()
    assert other.sole("clock").hold()


def test_a_place_that_is_not_held_can_be_left(db, other):
    db.sole("clock").leave()
    assert other.sole("clock").hold()


def test_a_database_that_is_closed_holds_none(url, other):
    database = Database.open(url)
    assert database.sole("clock").hold()
    database.close()
    assert eventually(other.sole("clock"))


def test_the_place_of_a_process_that_is_killed_is_free(url, other):
    command = [sys.executable, "-c", HOLDER, url]
    root = Path(storage.__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "True"
        assert not other.sole("clock").hold()
        os.kill(holder.pid, signal.SIGKILL)
    assert eventually(other.sole("clock"))


def end_sessions(url: str) -> None:
    """Those that hold a place."""
    engine = make_engine(url)
    with engine.connect().execution_options(**{WRITING: True}) as connection:
        holders = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        connection.exec_driver_sql(holders).all()
    engine.dispose()


def test_who_lost_its_session_has_lost_its_place(migrated_postgres):
    url = migrated_postgres()
    first, second = Database.open(url), Database.open(url)
    assert first.sole("clock").hold()
    end_sessions(url)
    assert eventually(second.sole("clock"))
    assert not first.sole("clock").hold()
    assert first.sole("correct").hold(), "its next session is as good as the first"
    first.close()
    second.close()


def test_whatever_was_asked_when_the_session_ended_the_next_one_is_as_good(migrated_postgres, monkeypatch):
    url = migrated_postgres()
    database = Database.open(url)
    assert database.sole("clock").hold()
    end_sessions(url)
    with monkeypatch.context() as patch:
        patch.setattr(_SessionPlaces, "_is_alive", lambda *_: True)  # it ends a moment later
        with pytest.raises(Unavailable):
            database.sole("correct").hold()
    assert database.sole("clock").hold()
    end_sessions(url)
    database.sole("clock").leave()
    assert database.sole("clock").hold()
    database.close()


def test_a_disk_that_fails_is_told_as_one(tmp_path, empty_sqlite):
    database = Database.open(empty_sqlite(tmp_path / "node.sqlite"))
    (tmp_path / "node.sqlite.locks").write_text("no folder")
    with pytest.raises(Unavailable, match="place clock cannot be asked for"):
        database.sole("clock").hold()
    database.close()
