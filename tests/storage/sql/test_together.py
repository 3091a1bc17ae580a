"""Threads that wait at the same time share a commit; the fault of one is not the others'."""

import threading
import time
from contextlib import suppress

import pytest

from storage.database import Database
from storage.errors import Unavailable
from storage.sql import together
from storage.sql.together import Together


@pytest.fixture
def database(tmp_path, empty_sqlite):
    database = Database.open(empty_sqlite(tmp_path / "node.sqlite"))
    yield database
    database.close()


def notes(database) -> list[str]:
    with database.reading() as tx:
        return sorted(entry.text for entry in tx.journal.recent(100))


def note(text: str, wait: threading.Event | None = None):
    """A piece of work that writes a line, and waits where it is told to."""

    def work(tx) -> str:
        if wait is not None:
            wait.wait(10)
        if "wrong" in text:
            raise ValueError(text)
        tx.journal.add(1.0, "note", text)
        return text.upper()

    return work


class Crowd:
    """Threads that commit while one holds the turn; `found` is what each got, its error where it got one."""

    def __init__(self, group: Together, texts: list[str]) -> None:
        self.found: dict[str, object] = {}
        held = threading.Event()
        self._threads = [threading.Thread(target=self._one, args=(group, "first", held))]
        self._threads[0].start()
        eventually(lambda: group._turn.locked() and not group._waiting)
        for text in texts:
            self._threads.append(threading.Thread(target=self._one, args=(group, text)))
            self._threads[-1].start()
        eventually(lambda: len(group._waiting) == len(texts))
        held.set()
        for thread in self._threads:
            thread.join(20)

    def _one(self, group: Together, text: str, wait: threading.Event | None = None) -> None:
        try:
            self.found[text] = group.commit(note(text, wait))
        except ValueError as error:
            self.found[text] = error


def eventually(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)


@pytest.fixture
def commits(database, monkeypatch) -> list[int]:
    """One entry a transaction that was begun."""
    begun: list[int] = []
    transaction = Database.transaction

    def counted(self):
        begun.append(1)
        return transaction(self)

    monkeypatch.setattr(Database, "transaction", counted)
    return begun


def test_one_alone_has_a_transaction_of_its_own(database, commits):
    assert Together(database).commit(note("a")) == "A"
    assert (notes(database), len(commits)) == (["a"], 1)


def test_all_that_wait_share_one_commit_and_get_their_own_results(database, commits):
    crowd = Crowd(Together(database), ["a", "b", "c"])
    assert crowd.found == {"first": "FIRST", "a": "A", "b": "B", "c": "C"}
    assert (notes(database), len(commits)) == (["a", "b", "c", "first"], 2)


def test_what_fails_in_company_is_done_again_alone(database):
    crowd = Crowd(Together(database), ["a", "wrong", "b"])
    assert isinstance(crowd.found.pop("wrong"), ValueError)
    assert crowd.found == {"first": "FIRST", "a": "A", "b": "B"}
    assert notes(database) == ["a", "b", "first"]


def test_a_transaction_does_not_grow_without_bound(database, commits, monkeypatch):
    monkeypatch.setattr(together, "MOST", 2)
    Crowd(Together(database), ["a", "b", "c", "d"])
    assert (notes(database), len(commits)) == (["a", "b", "c", "d", "first"], 3)


def test_whoever_waits_too_long_is_told_and_nothing_is_written(database, monkeypatch):
    monkeypatch.setattr(together, "BUSY_S", 0.05)
    group = Together(database)
    with group._turn, pytest.raises(Unavailable):
        group.commit(note("a"))
    assert (notes(database), group._waiting) == ([], [])


@pytest.fixture
def patient(database, monkeypatch) -> Together:
    """As after a commit that was shared, and with all the time in the world."""
    monkeypatch.setattr(together, "PATIENCE_S", 10.0)
    group = Together(database)
    group._in_company = True
    return group


def comer(group: Together, prepare) -> threading.Thread:
    """A thread that prepares its work, and commits it if it can."""
    entered = threading.Event()

    def run():
        with suppress(ValueError):
            with group.coming():
                entered.set()
                prepare()
            group.commit(note("late"))

    thread = threading.Thread(target=run)
    thread.start()
    entered.wait(10)
    return thread


def test_a_commit_waits_for_who_is_coming_where_commits_were_shared_lately(database, commits, patient):
    thread = comer(patient, lambda: time.sleep(0.05))
    patient.commit(note("early"))
    thread.join(20)
    assert (notes(database), len(commits)) == (["early", "late"], 1)


def test_who_does_not_come_is_waited_for_no_longer(database, patient):
    def fail():
        time.sleep(0.05)
        raise ValueError

    thread = comer(patient, fail)
    start = time.monotonic()
    patient.commit(note("early"))
    assert time.monotonic() - start < 5
    thread.join(20)
    assert notes(database) == ["early"]


def test_after_a_wait_in_vain_the_next_commit_does_not_wait(database, patient, monkeypatch):
    monkeypatch.setattr(together, "PATIENCE_S", 0.05)
    goes_on = threading.Event()
    thread = comer(patient, lambda: goes_on.wait(20))
    patient.commit(note("a"))
    monkeypatch.setattr(together, "PATIENCE_S", 10.0)
    start = time.monotonic()
    patient.commit(note("b"))
    assert time.monotonic() - start < 5
    goes_on.set()
    thread.join(20)
    assert notes(database) == ["a", "b", "late"]


def test_enough_company_is_not_kept_waiting(database, commits, patient, monkeypatch):
    monkeypatch.setattr(together, "ENOUGH", 1)
    goes_on = threading.Event()
    thread = comer(patient, lambda: goes_on.wait(20))
    patient.commit(note("a"))
    goes_on.set()
    thread.join(20)
    assert len(commits) == 2
