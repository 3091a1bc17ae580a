"""What peers ask of us: kept, answered once, told until it is heard; and what we are bound to keep."""

import math

import pytest

from storage.errors import BadIdentifier, IllegalStep, LeaseLost
from storage.lifecycle import CommitmentState, PromiseState
from storage.records import CommitmentReport, Reference

TERM = 60.0
CT = "1.2.840.10008.5.1.4.1.1.2"
ONE, TWO = Reference(CT, "1.2.1"), Reference(CT, "1.2.2")
YES = CommitmentReport(("1.2.1",), {"1.2.2": 0x0112})


@pytest.fixture
def do(db):
    """Take one step in a transaction of its own."""

    def step(name, *arguments, **more):
        with db.transaction() as tx:
            return getattr(tx.promises, name)(*arguments, **more)

    return step


@pytest.fixture
def asked(do):
    assert do("add", "CT1", "SEGNODE", "1.9", [ONE, TWO], 100.0)


@pytest.fixture
def claim(do):
    return lambda now=100.0, owner="a": do("claim", owner, now, TERM)


def test_a_request_outlives_us(do, asked):
    kept = do("find", "CT1", "1.9")
    assert (kept.peer_aet, kept.called_aet, kept.instances) == ("CT1", "SEGNODE", (ONE, TWO))
    assert (kept.state, kept.received_at, kept.report) == (PromiseState.PENDING, 100.0, None)


def test_the_same_request_again_is_the_same_one(do, asked):
    assert do("add", "CT1", "SEGNODE", "1.9", [ONE, TWO], 150.0)
    assert (do("find", "CT1", "1.9").received_at, do("open_of", "CT1")) == (100.0, 1)


def test_one_uid_for_other_instances_is_refused(do, asked):
    assert not do("add", "CT1", "SEGNODE", "1.9", [ONE], 150.0)
    assert do("find", "CT1", "1.9").instances == (ONE, TWO)


def test_another_peer_may_use_the_same_uid(do, asked):
    assert do("add", "CT2", "SEGNODE", "1.9", [ONE], 150.0)
    assert (do("open_of", "CT1"), do("open_of", "CT2"), do("open_of", "CT3")) == (1, 1, 0)


def test_identifiers_are_checked(do):
    with pytest.raises(BadIdentifier):
        do("add", "CT1", "SEGNODE", "../9", [ONE], 1.0)
    with pytest.raises(BadIdentifier):
        do("add", "CT1", "SEGNODE", "1.9", [Reference(CT, "x")], 1.0)


def test_it_is_decided_then_told(do, asked, claim):
    number = claim().promise_id
    assert claim() is None
    do("decide", number, YES, 110.0)
    due = claim(110.0)
    assert (due.report, due.attempts) == (YES, 1)
    do("end", number, "a", PromiseState.TOLD)
    assert not do("due", 9999.0)


def test_an_answer_stands(do, asked, claim):
    number = claim().promise_id
    do("decide", number, YES, 110.0)
    do("decide", number, CommitmentReport(), 111.0)
    assert do("find", "CT1", "1.9").report == YES


def test_who_asks_again_after_the_answer_is_answered_anew(do, asked, claim):
    number = claim().promise_id
    do("decide", number, YES, 110.0)
    claim(110.0)
    do("end", number, "a", PromiseState.TOLD)
    assert do("add", "CT1", "SEGNODE", "1.9", [ONE, TWO], 200.0)
    again = claim(200.0)
    assert (again.promise_id, again.report, again.received_at) == (number, None, 200.0)


def test_it_is_told_again_later(do, asked, claim):
    do("postpone", claim().promise_id, "a", 130.0, "connection refused")
    assert claim(129.0) is None
    assert (claim(130.0).attempts, do("find", "CT1", "1.9").reason) == (2, "connection refused")


@pytest.mark.parametrize(("name", "arguments"), [("postpone", (1.0,)), ("end", (PromiseState.TOLD,))])
def test_whoever_lost_the_lease_changes_nothing(do, asked, claim, name, arguments):
    number = claim(100.0, "a").promise_id
    claim(160.0, "b")
    with pytest.raises(LeaseLost):
        do(name, number, "a", *arguments)


def test_a_told_one_is_not_pending(do, asked, claim):
    with pytest.raises(IllegalStep):
        do("end", claim().promise_id, "a", PromiseState.PENDING)


def test_reap_gives_back_what_a_dead_owner_held(do, asked, claim):
    claim()
    assert (do("reap", 159.0), do("reap", 160.0), do("reap", 160.0)) == (0, 1, 0)


class TestBar:
    """What retention asks."""

    def test_nothing_was_promised(self, do, study):
        assert do("barred_until", study) == 0.0

    def test_until_the_longest_promise_ends(self, do, study):
        do("keep", {f"{study}.1.1": study}, 500.0)
        do("keep", {f"{study}.1.1": study, f"{study}.1.2": study}, 400.0)
        assert do("barred_until", study) == 500.0
        do("keep", {f"{study}.1.2": study}, 600.0)
        do("keep", {}, 9999.0)
        assert do("barred_until", study) == 600.0
        assert do("barred_until", "9.9") == 0.0

    def test_while_a_commitment_of_ours_is_open(self, db, do, study):
        with db.transaction() as tx:
            tx.commitments.add("pacs", [ONE], 1.0, due_at=1.0, study_uid=study)
        assert do("barred_until", study) == math.inf
        with db.transaction() as tx:
            number = tx.commitments.claim("a", 1.0, TERM).commitment_id
            tx.commitments.end(number, "a", CommitmentState.COMMITTED)
        assert do("barred_until", study) == 0.0

    def test_forgotten_with_the_study(self, do, study):
        do("keep", {f"{study}.1.1": study}, 500.0)
        do("forget", study)
        assert do("barred_until", study) == 0.0


def test_one_that_was_answered_long_ago_is_dropped_with_what_was_asked_for_it(db, do, asked, claim):
    with db.transaction() as tx:
        promise = tx.promises.claim("a", 100.0, TERM)
        uid = tx.commitments.add("pacs", [ONE, TWO], 100.0, due_at=100.0, promise_id=promise.promise_id)
    assert do("forget_ended", 500.0) == 0, "it is open"
    do("end", promise.promise_id, "a", PromiseState.TOLD)
    assert do("forget_ended", 100.0) == 0, "the peer may ask once more"
    assert do("forget_ended", 500.0) == 1
    assert do("find", "CT1", "1.9") is None
    with db.reading() as tx:
        assert tx.commitments.find(uid) is None
