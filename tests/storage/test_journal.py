"""History is appended, in the commit of what it tells."""

import pytest

from storage.database import Database
from storage.records import JournalEntry


def test_an_entry_comes_back_as_it_was_written(db):
    with db.transaction() as tx:
        number = tx.journal.add(
            5.0, "verdict", "too few slices", study="1.2", series="1.2.3", job="job-1", revision=7, detail={"ok": False}
        )
    expected = JournalEntry(number, 5.0, "verdict", "too few slices", "1.2", "1.2.3", "job-1", 7, {"ok": False})
    with db.reading() as tx:
        assert tx.journal.of_study("1.2") == tx.journal.of_job("job-1") == tx.journal.recent(1) == [expected]


def test_the_past_is_told_forward_and_the_news_backward(db):
    with db.transaction() as tx:
        for at, study in ((1.0, "1.2"), (2.0, "1.3"), (3.0, "1.2")):
            tx.journal.add(at, "received", "an image", study=study, job="job-1")
    with db.reading() as tx:
        assert [entry.at for entry in tx.journal.of_study("1.2")] == [1.0, 3.0]
        assert [entry.at for entry in tx.journal.of_job("job-1")] == [1.0, 2.0, 3.0]
        assert [entry.at for entry in tx.journal.recent(2)] == [3.0, 2.0]


def test_what_did_not_happen_is_not_told(db):
    def step():
        with db.transaction() as tx:
            tx.journal.add(1.0, "received", "an image")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        step()
    with db.reading() as tx:
        assert tx.journal.recent(10) == []


def test_a_damaged_description_in_a_reason_is_kept_as_text(db):
    with db.transaction() as tx:
        tx.journal.add(1.0, "verdict", "series t1\0 \ud800 is a localizer")
        assert tx.journal.recent(1)[0].text == "series t1 ? is a localizer"


def test_what_came_after_an_entry_is_told_in_order(db):
    with db.transaction() as tx:
        assert tx.journal.newest() == 0
        first, second, third = (tx.journal.add(1.0, "note", text) for text in ("one", "two", "three"))
        assert tx.journal.newest() == third
        assert [entry.entry_id for entry in tx.journal.follow(first, 10)[0]] == [second, third]
        assert [entry.text for entry in tx.journal.follow(0, 2)[0]] == ["one", "two"]


def test_who_follows_it_sees_each_entry_once_from_when_it_first_looks(db):
    with db.transaction() as tx:
        before = tx.journal.add(1.0, "note", "before")
        assert tx.journal.follow(None, 10) == ([], before)
        one, two = (tx.journal.add(2.0, "note", text) for text in ("one", "two"))
        entries, seen = tx.journal.follow(before, 1)
        assert ([entry.text for entry in entries], seen) == (["one"], one)
        entries, seen = tx.journal.follow(seen, 1)
        assert ([entry.text for entry in entries], seen) == (["two"], two)
        assert tx.journal.follow(seen, 1) == ([], two)
        assert tx.journal.follow(10**9, 1) == ([], two), "the database was put back from a backup"


def test_it_waits_for_an_entry_that_is_committed_after_a_later_one(migrated_postgres):
    url = migrated_postgres()
    one, other = Database.open(url), Database.open(url)

    def told(seen):
        with other.reading() as tx:
            entries, until = tx.journal.follow(seen, 10)
            return [entry.text for entry in entries], until

    with one.transaction() as tx:
        first = tx.journal.add(1.0, "note", "first")
    with one.transaction() as tx:
        slow = tx.journal.add(2.0, "note", "slow")
        with other.transaction() as beside:
            quick = beside.journal.add(3.0, "note", "quick")
        assert told(first - 1) == (["first"], first)
        assert told(first) == ([], first)
        assert told(None) == ([], first), "who begins meanwhile is told of it too"
    assert told(first) == (["slow", "quick"], quick)
    assert told(slow) == (["quick"], quick)
    one.close()
    other.close()


def test_and_not_for_one_that_never_comes(migrated_postgres):
    database = Database.open(migrated_postgres())
    with database.transaction() as tx:
        tx.journal.add(1.0, "note", "never")
        tx._connection.get_transaction().rollback()
    with database.transaction() as tx:
        tx.journal.add(2.0, "note", "after it")
    with database.reading() as tx:
        assert [entry.text for entry in tx.journal.follow(0, 10)[0]] == ["after it"]
    database.close()
