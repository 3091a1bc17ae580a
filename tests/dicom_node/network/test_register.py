"""Open associations as leased rows, with the clock turned by hand."""

from types import SimpleNamespace

import pytest
from turned_clock import Clock

from dicom_node.network.register import Register
from storage.errors import Unavailable


class Caller:
    """What the register looks at of an association."""

    def __init__(self, calling: str = "CT1") -> None:
        primitive = SimpleNamespace(called_ae_title="SEGNODE")
        self.requestor = SimpleNamespace(ae_title=calling, address="10.0.0.7", primitive=primitive)
        self.alive = True

    def is_alive(self) -> bool:
        return self.alive


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def register(database, clock) -> Register:
    return Register(database, "me", term_s=30.0, clock=clock)


def open_count(database, now: float) -> int:
    with database.reading() as tx:
        return tx.associations.open_count(now)


def test_an_accepted_association_is_a_row_that_its_end_closes(register, database, clock):
    caller = Caller()
    register.accepted(caller)
    assert open_count(database, clock.now) == 1
    register.closed(caller)
    register.closed(caller)
    assert open_count(database, clock.now) == 0


def test_a_row_lives_as_long_as_it_is_renewed(register, database, clock):
    register.accepted(Caller())
    clock.now += 20
    register.renew()
    clock.now += 20
    assert open_count(database, clock.now) == 1
    clock.now += 20
    assert open_count(database, clock.now) == 0


def test_one_that_ended_without_a_word_is_closed_at_the_next_renewal(register, database, clock):
    caller = Caller()
    register.accepted(caller)
    caller.alive = False
    register.renew()
    assert open_count(database, clock.now) == 0


def test_while_the_database_is_away_the_row_waits_for_the_first_instance(register, database, clock, monkeypatch):
    def away(self):
        raise Unavailable("no answer")

    caller = Caller()
    with monkeypatch.context() as patch:
        patch.setattr(type(database), "transaction", away)
        register.accepted(caller)
        register.renew()
    entry = register.entry(caller)
    assert not entry.noted
    with database.transaction() as tx:
        register.note(tx, entry, clock.now)
    assert open_count(database, clock.now) == 1


def test_an_end_that_could_not_be_written_is_written_by_time(register, database, clock, monkeypatch):
    def away(self):
        raise Unavailable("no answer")

    caller = Caller()
    register.accepted(caller)
    with monkeypatch.context() as patch:
        patch.setattr(type(database), "transaction", away)
        register.closed(caller)
    assert open_count(database, clock.now) == 1
    assert open_count(database, clock.now + 31) == 0


def test_stopping_closes_all(register, database, clock):
    register.start()
    for calling in ("CT1", "CT2"):
        register.accepted(Caller(calling))
    register.stop()
    assert open_count(database, clock.now) == 0


def test_an_end_that_could_not_be_written_is_written_at_the_next_renewal(register, database, clock, monkeypatch):
    def away(self):
        raise Unavailable("no answer")

    ended, open_still = Caller(), Caller()
    for caller in (ended, open_still):
        register.accepted(caller)
    with monkeypatch.context() as patch:
        patch.setattr(type(database), "transaction", away)
        register.closed(ended)
    assert open_count(database, clock.now) == 2
    register.renew()
    assert open_count(database, clock.now) == 1, "else the renewals of the other one would keep it open"


def test_one_whose_row_was_closed_while_the_database_was_away_is_open_again(register, database, clock):
    register.accepted(Caller())
    clock.now += 31
    with database.transaction() as tx:
        assert tx.associations.close_lapsed(clock.now) == 1, "as recovery does as soon as the database is back"
    assert register.renew()
    assert open_count(database, clock.now) == 1


def test_what_could_not_be_renewed_is_soon_tried_again(register, database, monkeypatch):
    def away(self):
        raise Unavailable("no answer")

    register.accepted(Caller())
    monkeypatch.setattr(type(database), "transaction", away)
    assert not register.renew()
