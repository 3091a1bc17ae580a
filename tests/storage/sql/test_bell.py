"""What is journalled wakes whoever listens, in every process, once it is committed."""

from __future__ import annotations

import threading
import time

import pytest

from storage.database import Database
from storage.sql import bell
from storage.sql.engines import WRITING, make_engine

PATIENCE_S = 20.0


class Heard:
    """Counts the rings."""

    def __init__(self) -> None:
        self.rung = threading.Semaphore(0)

    def __call__(self) -> None:
        self.rung.release()

    def wait(self) -> bool:
        return self.rung.acquire(timeout=PATIENCE_S)


@pytest.fixture
def pair(migrated_postgres):
    """Two processes' databases, and what the second hears."""
    url = migrated_postgres()
    ours, theirs, heard = Database.open(url), Database.open(url), Heard()
    ear = theirs.ear(heard)
    assert ear is not None
    ear.start()
    assert heard.wait(), "from the start: something may be waiting already"
    yield ours, heard, url
    ear.stop()
    ours.close()
    theirs.close()


def test_another_hears_what_is_committed(pair):
    ours, heard, _ = pair
    with ours.transaction() as tx:
        tx.journal.add(1.0, "complete", "one")
        assert not heard.rung.acquire(timeout=0.2), "not before the commit"
    assert heard.wait()


def test_many_entries_of_one_transaction_ring_once(pair):
    ours, heard, _ = pair
    with ours.transaction() as tx:
        for number in range(5):
            tx.journal.add(1.0, "verdict", str(number))
    assert heard.wait()
    assert not heard.rung.acquire(timeout=0.3)


def test_images_do_not_ring(pair, make_instance):
    ours, heard, _ = pair
    with ours.transaction() as tx:
        tx.studies.add_instance(make_instance())
    assert not heard.rung.acquire(timeout=0.3)


def test_it_listens_again_after_its_connection_was_lost(pair, monkeypatch):
    ours, heard, url = pair
    monkeypatch.setattr(bell, "AGAIN_S", 0.01)
    engine = make_engine(url)
    with engine.connect().execution_options(**{WRITING: True}) as connection:
        sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'"
        assert connection.exec_driver_sql(sessions).all()
    engine.dispose()
    assert heard.wait(), "and looks for what it missed"
    time.sleep(0.05)
    with ours.transaction() as tx:
        tx.journal.add(1.0, "complete", "two")
    assert heard.wait()


def test_sqlite_has_none(tmp_path, empty_sqlite):
    database = Database.open(empty_sqlite(tmp_path / "node.sqlite"))
    assert database.ear(Heard()) is None
    database.close()
