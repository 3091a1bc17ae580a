"""Counts of several processes add up."""

from __future__ import annotations

from storage.database import Database

REFUSED = ("refused", (("reason", "limit"),))


def test_what_each_process_counted_is_added(db: Database) -> None:
    for counts in ({("bytes", ()): 5.0, REFUSED: 1.0}, {("bytes", ()): 7.0}):
        with db.transaction() as tx:
            tx.counters.add(counts)
    with db.reading() as tx:
        assert tx.counters.all() == {("bytes", ()): 12.0, REFUSED: 1.0}


def test_nothing_is_nothing(db: Database) -> None:
    with db.transaction() as tx:
        tx.counters.add({})
        assert tx.counters.all() == {}
