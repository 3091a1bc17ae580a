"""What PostgreSQL did is counted by itself; accounts are taken off one another and shared out."""

from __future__ import annotations

import pytest
from private_postgres import running_postgres
from scale.ledger import Ledger
from scale.steps import Account

from storage.database import Database


def test_a_transaction_is_counted_with_its_statements():
    with running_postgres("fsync=on", "shared_preload_libraries=pg_stat_statements") as url:
        database = Database.open(url("postgres"))
        ledger = Ledger(url("postgres"))
        before = ledger.read()
        for number in range(20):
            with database.transaction() as tx:
                tx.journal.add(1.0, "noted", f"entry {number}")
        with database.reading() as tx:
            assert len(tx.journal.of_study("")) <= 20
        spent = ledger.read().less(before, 1)
        ledger.close()
        database.close()
    assert (spent.writes, spent.inserts, spent.updates) == (20, 20, 0)
    assert spent.commits == 21
    assert 21 <= spent.selects <= 25  # each entry announced how far the journal was; the ledger asks, too
    assert spent.wal_bytes > 20 * 100
    assert spent.cpu_s >= 0.0


def test_an_account_is_taken_off_another_and_shared_out():
    whole, idle = Account(100, 40, 60, 20, 20, 1.0, 5000), Account(10, 0, 10, 0, 0, 0.1, 0)
    left = whole.less(idle, 4).share(10)
    assert vars(left) == pytest.approx(
        {"commits": 6, "writes": 4, "selects": 2, "inserts": 2, "updates": 2, "cpu_s": 0.06, "wal_bytes": 500}
    )


def test_no_share_is_less_than_nothing():
    """Where an idle node did more than it was thought to."""
    assert Account(1, 0, 1, 0, 0, 0.1, 0).less(Account(2, 0, 2, 0, 0, 0.2, 0), 1).share(5).commits == 0.0
