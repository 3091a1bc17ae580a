"""Rows that nobody needs any more go by themselves, however many there are."""

import pytest

from storage.lifecycle import PromiseState
from storage.records import Reference
from storage.upkeep.leftovers import TOLD_TERM_S, drop_leftovers


def test_an_association_that_left_nothing_goes_a_day_after_its_end(db):
    with db.transaction() as tx:
        tx.associations.open("echo", "receive", "CT1", "SEGNODE", "10.0.0.1", 1.0, 60.0)
        tx.associations.close("echo", 2.0)
    assert drop_leftovers(db, 3.0) == 0
    assert drop_leftovers(db, 86402.0) == 1


@pytest.fixture
def three_told(db):
    for number in (1, 2, 3):
        with db.transaction() as tx:
            tx.promises.add("CT1", "SEGNODE", f"1.9.{number}", [Reference("1.2.840", "1.2.1")], 1000.0)
            tx.promises.end(tx.promises.claim("answer", 1000.0, 60.0).promise_id, "answer", PromiseState.TOLD)


def test_what_was_promised_and_told_is_known_for_a_week_and_then_all_of_it_goes(db, three_told, monkeypatch):
    for place in ("storage.leaving.promises.SOME", "storage.upkeep.leftovers.SOME"):
        monkeypatch.setattr(place, 2)
    assert drop_leftovers(db, 1000.0 + TOLD_TERM_S) == 0
    assert drop_leftovers(db, 1001.0 + TOLD_TERM_S) == 3
    with db.reading() as tx:
        assert tx.promises.find("CT1", "1.9.3") is None
