"""Open associations are leased rows: a receiver that dies leaves none open."""

import pytest

from storage.arriving.associations import KEPT_S
from storage.errors import NotFound


@pytest.fixture
def opened(db):
    with db.transaction() as tx:
        for name, owner in (("one", "receiver-1"), ("two", "receiver-1"), ("three", "receiver-2")):
            tx.associations.open(name, owner, "CT1", "SEGNODE", "10.0.0.1", 100.0, 60.0)


def open_count(db, now):
    with db.reading() as tx:
        return tx.associations.open_count(now)


def test_an_association_is_open_until_it_is_closed(db, opened):
    assert open_count(db, 101.0) == 3
    with db.transaction() as tx:
        tx.associations.close("one", 102.0)
        tx.associations.close("one", 103.0)
    assert open_count(db, 103.0) == 2


def test_noting_it_twice_is_noting_it_once(db, opened):
    with db.transaction() as tx:
        tx.associations.open("one", "receiver-9", "CT9", "SEGNODE", "10.0.0.9", 100.0, 60.0)
    assert open_count(db, 101.0) == 3


def test_closing_what_nobody_opened_says_so(db):
    with pytest.raises(NotFound, match="nobody"), db.transaction() as tx:
        tx.associations.close("nobody", 1.0)


def test_it_counts_as_closed_when_its_lease_has_run_out(db, opened):
    assert (open_count(db, 159.9), open_count(db, 160.0)) == (3, 0)


def test_those_that_are_open_are_renewed(db, opened):
    with db.transaction() as tx:
        tx.associations.close("two", 120.0)
        assert tx.associations.renew(["one", "two"], 150.0, 60.0) == 1
    assert open_count(db, 170.0) == 1


def test_what_a_dead_owner_left_open_is_closed_for_good(db, opened):
    with db.transaction() as tx:
        tx.associations.renew(["one", "two"], 150.0, 60.0)
        assert tx.associations.close_lapsed(170.0) == 1
        assert tx.associations.close_lapsed(170.0) == 0
    assert open_count(db, 170.0) == 2


def test_one_that_was_closed_while_its_owner_could_not_renew_it_is_open_again(db, opened):
    with db.transaction() as tx:
        assert tx.associations.close_lapsed(170.0) == 3
        assert tx.associations.renew(["one"], 171.0, 60.0) == 1
    assert open_count(db, 172.0) == 1


def test_but_not_one_that_has_ended_since(db, opened):
    with db.transaction() as tx:
        tx.associations.close_lapsed(170.0)
        tx.associations.close("one", 171.0)
        assert tx.associations.renew(["one"], 172.0, 60.0) == 0, "a renewal that began before its end"


def test_one_of_which_nothing_is_here_is_forgotten_a_day_after_its_end(db, opened, make_instance):
    with db.transaction() as tx:
        tx.studies.add_instance(make_instance(association_id="one"))
        tx.associations.close("one", 110.0)
        tx.associations.close("two", 110.0)
        assert tx.associations.forget(110.0 + KEPT_S - 1.0) == 0
        assert tx.associations.forget(110.0 + KEPT_S) == 1
        tx.associations.close("one", 200.0)
        assert tx.associations.open_count(101.0) == 1, "what was not closed stays"
    with pytest.raises(NotFound, match="two"), db.transaction() as tx:
        tx.associations.close("two", 200.0)
