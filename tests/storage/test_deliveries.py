"""The outbox: what is due, who sends it, what becomes of it."""

from dataclasses import replace

import pytest

from storage.deliveries import Setback
from storage.errors import IllegalStep, LeaseLost, NotFound
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobMark, JobState
from storage.records import Reference

TERM = 60.0
OK = {"2.25.1": "0x0000"}


@pytest.fixture
def put(db, job):
    """Make a delivery of the job; gives its number."""

    def make(destination="pacs", state=DeliveryState.PENDING, now=300.0, reason=""):
        with db.transaction() as tx:
            return tx.deliveries.add(job.job_id, job.study_instance_uid, destination, state, now, reason)

    return make


@pytest.fixture
def claim(db):
    def take(owner="a", now=1000.0, destination="pacs"):
        with db.transaction() as tx:
            return tx.outbox.claim(Sender(destination, concurrency=9), owner, now, TERM)

    return take


@pytest.fixture
def look(db):
    def get(number):
        with db.reading() as tx:
            return tx.deliveries.get(number)

    return get


@pytest.fixture
def do(db):
    """Take one step in a transaction of its own."""

    def step(name, *arguments, **more):
        with db.transaction() as tx:
            return getattr(tx.deliveries, name)(*arguments, **more)

    return step


def test_a_delivery_is_made_once_for_a_job_and_a_destination(put, look, do, job):
    number = put()
    assert put(state=DeliveryState.HELD, now=999.0) == number
    assert put("research") != number
    found = look(number)
    assert (found.job_id, found.destination, found.state) == ("job-1", "pacs", DeliveryState.PENDING)
    assert (found.attempts, found.created_at, found.next_attempt_at) == (0, 300.0, 300.0)


def test_sent_keeps_time_statuses_and_warning(put, claim, do, look):
    number = put()
    claim()
    do("sent", number, "a", 1001.0, {"2.25.1": "0xB000"}, reason="1 warning")
    found = look(number)
    assert (found.state, found.sent_at, found.reason) == (DeliveryState.SENT, 1001.0, "1 warning")
    assert (found.statuses, found.lease_owner) == ({"2.25.1": "0xB000"}, None)
    assert claim(now=9999.0) is None


def test_postpone_waits_for_its_time(put, claim, do, look):
    number = put()
    claim()
    do("postpone", number, "a", 1030.0, Setback("connection refused"))
    found = look(number)
    assert (found.state, found.reason, found.faults) == (DeliveryState.PENDING, "connection refused", 0)
    assert claim(now=1029.0) is None
    assert claim(now=1030.0).attempts == 2


def test_a_setback_tells_whose_fault_it_was_and_who_holds_a_part(put, claim, do, look):
    number = put()
    claim()
    do("postpone", number, "a", 1030.0, Setback("0xA700", {"2.25.1": "0x0000"}, own_fault=True, held=["2.25.1"]))
    found = look(number)
    assert (found.faults, found.via, found.statuses) == (1, "pacs", {"2.25.1": "0x0000"})
    claim(now=1030.0)
    do("postpone", number, "a", 1060.0, Setback("connection refused"))
    assert (look(number).faults, look(number).via) == (1, "")


def test_one_that_could_not_be_begun_is_as_it_was_and_waits_for_its_time(put, claim, do, look):
    number = put()
    before = claim()
    do("release", number, "a", 1030.0, "the archive's disk failed")
    waits = {"reason": "the archive's disk failed", "next_attempt_at": 1030.0, "lease_owner": None, "lease_until": None}
    assert look(number) == replace(before, **waits)
    assert claim(now=1029.0) is None
    assert claim("b", 1030.0).lease_owner == "b"


def test_given_up_is_what_waits_and_nobody_sends(put, claim, do, look):
    number = put()
    claim(now=1000.0)
    assert not do("give_up", number, 1030.0, "too old")
    assert do("give_up", number, 1060.0, "too old")
    assert (look(number).state, look(number).reason, look(number).lease_owner) == (DeliveryState.DEAD, "too old", None)
    assert not do("give_up", number, 1061.0, "too old")


def test_dead_waits_for_a_person(put, claim, do, look):
    number = put()
    claim()
    do("dead", number, "a", 1001.0, Setback("the peer takes no SEG", {"2.25.1": "0x0122"}))
    assert (look(number).state, look(number).statuses) == (DeliveryState.DEAD, {"2.25.1": "0x0122"})
    assert claim(now=9999.0) is None


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("sent", (1070.0, OK)),
        ("postpone", (1100.0, Setback(""))),
        ("release", (1100.0, "")),
        ("dead", (1070.0, Setback(""))),
        ("renew", (1070.0, TERM)),
    ],
)
def test_whoever_lost_the_lease_changes_nothing(put, claim, do, look, name, arguments):
    number = put()
    claim("a", 1000.0)
    claim("b", 1060.0)
    before = look(number)
    with pytest.raises(LeaseLost):
        do(name, number, "a", *arguments)
    assert look(number) == before


def test_renew_keeps_others_away(put, claim, do):
    number = put()
    claim("a", 1000.0)
    do("renew", number, "a", 1050.0, TERM)
    assert claim("b", 1060.0) is None


@pytest.mark.parametrize("ended", ["dead", "sent"])
def test_retry_sends_again_with_fresh_attempts(put, claim, do, look, ended):
    number = put()
    claim()
    do(ended, number, "a", 1001.0, *((Setback("no"),) if ended == "dead" else (OK,)))
    do("retry", number, 2000.0)
    found = look(number)
    assert (found.state, found.attempts, found.reason) == (DeliveryState.PENDING, 0, "")
    assert (found.created_at, found.queued_at) == (300.0, 2000.0), "it waits since then, however old it is"
    assert claim(now=1999.0) is None
    assert claim(now=2000.0).attempts == 1


def test_of_a_dead_one_the_rest_is_sent_and_of_a_sent_one_all_of_it(put, claim, do, look):
    dead, sent = put("pacs"), put("share")
    claim()
    do("dead", dead, "a", 1001.0, Setback("no", {"2.25.1": "0x0000", "2.25.2": "0xA900"}, held=["2.25.1"]))
    claim(destination="share")
    do("sent", sent, "a", 1001.0, OK)
    do("retry", dead, 2000.0)
    do("retry", sent, 2000.0)
    assert look(dead).statuses == {"2.25.1": "0x0000", "2.25.2": "0xA900"}
    assert look(sent).statuses == {}
    assert (look(dead).via, look(sent).via) == ("pacs", ""), "the rest goes where a part of it is"


def test_what_is_held_goes_only_when_released(put, claim, do, look):
    number = put(state=DeliveryState.HELD, reason="destination accepts clinical only")
    assert claim() is None
    with pytest.raises(IllegalStep, match="accepts clinical only"):
        do("retry", number, 2000.0)
    do("release_held", number, 2000.0)
    assert claim(now=2000.0).delivery_id == number
    with pytest.raises(IllegalStep, match="not HELD"):
        do("release_held", number, 2001.0)


def test_what_waits_is_not_retried(put, do):
    with pytest.raises(IllegalStep):
        do("retry", put(), 2000.0)


def test_unknown_numbers_say_so(do):
    for name in ("retry", "release_held"):
        with pytest.raises(NotFound, match="77"):
            do(name, 77, 1.0)


class TestCommitment:
    """What was sent is committed, or goes again; what is not SENT any more is left alone."""

    @pytest.fixture
    def sent(self, put, claim, do):
        number = put()
        claim()
        do("sent", number, "a", 1001.0, OK)
        return number

    def test_committed(self, sent, do, look):
        assert do("committed", sent)
        assert look(sent).state is DeliveryState.COMMITTED
        assert not do("committed", sent)

    def test_uncommitted_goes_again_and_its_attempts_count_on(self, sent, do, look, claim):
        assert do("uncommitted", sent, 1100.0, "0112H")
        assert (look(sent).state, look(sent).reason) == (DeliveryState.PENDING, "0112H")
        assert claim(now=1099.0) is None
        assert claim(now=1100.0).attempts == 2

    def test_given_up_it_waits_for_a_person(self, sent, do, look):
        assert do("not_committed", sent, 1100.0, "no report")
        assert (look(sent).state, look(sent).reason) == (DeliveryState.DEAD, "no report")

    @pytest.mark.parametrize(("name", "arguments"), [("committed", ()), ("uncommitted", (1.0, "")),
                                                     ("not_committed", (1.0, ""))])
    def test_what_goes_again_by_a_persons_word_is_left_alone(self, sent, do, look, name, arguments):
        do("retry", sent, 1002.0)
        assert not do(name, sent, *arguments)
        assert look(sent).state is DeliveryState.PENDING


class TestSupersede:
    """What has not left never will; what is leaving or has left keeps its history."""

    def test_unsent_is_stopped(self, put, claim, do, look):
        sent, dead = put("sent", now=1.0), put("dead", now=2.0)
        claim(now=10.0, destination="sent")
        do("sent", sent, "a", 11.0, OK)
        claim(now=10.0, destination="dead")
        do("dead", dead, "a", 11.0, Setback("no"))
        waiting, held = put("waiting"), put("held", DeliveryState.HELD)
        assert do("supersede_unsent", "job-1", 2000.0) == 3
        assert do("supersede_unsent", "job-1", 2000.0) == 0
        assert {look(n).state for n in (dead, waiting, held)} == {DeliveryState.SUPERSEDED}
        assert look(sent).state is DeliveryState.SENT

    def test_leaving_is_left_to_its_sender(self, put, claim, do, look):
        number = put()
        claim()
        assert do("supersede_unsent", "job-1", 1010.0) == 0
        do("sent", number, "a", 1011.0, OK)
        assert look(number).state is DeliveryState.SENT

    @pytest.mark.parametrize("mark", list(JobMark))
    def test_leaving_that_failed_is_not_tried_again(self, db, put, claim, do, look, mark):
        number = put()
        claim()
        with db.transaction() as tx:
            if mark:
                tx.jobs.mark("job-1", mark)
            else:
                tx.jobs.supersede("job-1", 1010.0, "late images")
        do("postpone", number, "a", 1030.0, Setback("connection refused"))
        assert look(number).state is DeliveryState.SUPERSEDED


    def test_leaving_is_stopped_by_who_has_claimed_it(self, put, claim, do, look):
        number = put()
        claim("a", 1000.0)
        claim("b", 1060.0)
        with pytest.raises(LeaseLost):
            do("stop", number, "a", "overtaken")
        do("stop", number, "b", "overtaken")
        found = look(number)
        assert (found.state, found.reason, found.lease_owner) == (DeliveryState.SUPERSEDED, "overtaken", None)


def test_reap_gives_back_what_a_dead_sender_held(put, claim, do, look):
    number = put()
    claim("a", 1000.0)
    assert (do("reap", 1059.0), do("reap", 1060.0), do("reap", 1060.0)) == (0, 1, 0)
    assert (look(number).lease_owner, look(number).attempts) == (None, 1)


def test_of_a_forgotten_delivery_stays_what_its_destination_was_asked_to_keep(db, put, job):
    number = put()
    with db.transaction() as tx:
        study, seg = job.study_instance_uid, Reference("1.2", "2.25.1")
        asked = tx.commitments.add("pacs", [seg], 310.0, due_at=320.0, study_uid=study, delivery_id=number)
    with db.transaction() as tx:
        assert tx.deliveries.forget("job-1") == 1
        (kept,) = tx.commitments.of_study(study)
    assert (kept.transaction_uid, kept.instances, kept.delivery_id) == (asked, (seg,), None)


def test_lists(db, put, claim, do, job):
    one, two = put("one"), put("two")
    claim(destination="one")
    do("sent", one, "a", 1001.0, OK)

    def numbers(found):
        return [delivery.delivery_id for delivery in found]

    with db.reading() as tx:
        assert numbers(tx.deliveries.list()) == [two, one]
        assert numbers(tx.deliveries.list([DeliveryState.SENT])) == [one]
        assert numbers(tx.deliveries.list(limit=1)) == [two]
        assert numbers(tx.deliveries.list(destination="one")) == [one]
        assert numbers(tx.deliveries.of_job("job-1")) == [one, two]
        assert numbers(tx.deliveries.of_study(job.study_instance_uid)) == [one, two]
        assert tx.deliveries.counts() == {DeliveryState.SENT: 1, DeliveryState.PENDING: 1}


def test_the_job_and_its_deliveries_are_one_commit(db, job):
    def step():
        with db.transaction() as tx:
            tx.jobs.claim("a", 1000.0, TERM)
            tx.jobs.finish("job-1", "a", JobState.DONE, 1010.0)
            tx.deliveries.add("job-1", job.study_instance_uid, "pacs", DeliveryState.PENDING, 1010.0)
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        step()
    with db.reading() as tx:
        assert tx.jobs.get("job-1") == job
        assert tx.deliveries.list() == []


def test_a_list_goes_on_before_a_number(db, job):
    with db.transaction() as tx:
        numbers = [
            tx.deliveries.add(job.job_id, job.study_instance_uid, place, DeliveryState.PENDING, 1.0)
            for place in ("one", "two", "three")
        ]
        assert [one.destination for one in tx.deliveries.list(before=numbers[2], limit=5)] == ["two", "one"]
        assert tx.deliveries.list(before=numbers[0]) == []
