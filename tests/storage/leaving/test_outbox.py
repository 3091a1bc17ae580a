"""Each destination has its queue; what one suffers costs no other."""

from dataclasses import replace

import pytest

from storage.deliveries import Setback
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobState

TERM = 60.0
PACS = Sender("pacs", concurrency=9)


@pytest.fixture
def put(db, job, make_job):
    """Make a delivery of a job of its own; gives its number."""

    def make(job_id, destination="pacs", now=300.0, priority=0):
        with db.transaction() as tx:
            tx.jobs.add(make_job(job_id, priority=priority))
            return tx.deliveries.add(job_id, job.study_instance_uid, destination, DeliveryState.PENDING, now)

    return make


@pytest.fixture
def claim(db):
    """Gives the number of what is claimed, or None."""

    def take(sender=PACS, now=1000.0, owner="a"):
        with db.reading() as tx:
            due = tx.outbox.due(sender, now)
        with db.transaction() as tx:
            found = tx.outbox.claim(sender, owner, now, TERM)
        assert due == (found is not None), "due tells whether a claim would find one"
        return found.delivery_id if found else None

    return take


@pytest.fixture
def do(db):
    """Take one step in a transaction of its own: `do("deliveries", "sent", …)`."""

    def step(store, name, *arguments):
        with db.transaction() as tx:
            return getattr(getattr(tx, store), name)(*arguments)

    return step


def test_a_claim_is_leased_and_counted(db, put, claim):
    number = put("a")
    assert claim() == number
    with db.reading() as tx:
        found = tx.deliveries.get(number)
    assert (found.attempts, found.lease_owner, found.lease_until) == (1, "a", 1060.0)
    assert (found.tried_at, found.via) == (1000.0, "pacs")
    assert claim(now=1059.0) is None
    assert claim(now=1060.0) == number, "its lease has run out"


def test_the_oldest_goes_first_and_before_it_the_urgent(put, claim):
    late, early, urgent = put("a", now=20.0), put("b", now=10.0), put("c", now=30.0, priority=5)
    put("d", now=5000.0, priority=5)
    assert [claim(), claim(), claim(), claim()] == [urgent, early, late, None]


def test_a_destination_sees_its_own_queue_only(put, claim):
    put("a", "share")
    assert claim() is None
    assert claim(Sender("share")) is not None


def test_no_more_leave_at_a_time_than_it_takes(put, claim, do):
    first, second, third = put("a", now=1.0), put("b", now=2.0), put("c", now=3.0)
    two = Sender("pacs", concurrency=2)
    assert [claim(two, owner="a"), claim(two, owner="b"), claim(two, owner="c")] == [first, second, None]
    do("deliveries", "sent", first, "a", 1001.0, {})
    assert claim(two, owner="a") == third
    assert claim(two, now=1060.0) == second, "who died makes room when the lease runs out"


class TestOpenCircuit:
    @pytest.fixture(autouse=True)
    def opened(self, do):
        do("circuits", "failed", "pacs", 900.0, "refused")
        do("circuits", "open", "pacs", 1010.0)

    def test_nothing_goes_before_its_time_and_then_one(self, put, claim):
        first = put("a")
        put("b")
        assert claim(now=1009.0) is None
        assert [claim(now=1010.0, owner="a"), claim(now=1010.0, owner="b")] == [first, None]

    def test_whose_turn_was_longest_ago_goes_first(self, put, claim, do):
        first, second = put("a", now=1.0), put("b", now=2.0, priority=5)
        assert claim(now=1010.0) == first, "a probe asks for no priority"
        do("deliveries", "postpone", first, "a", 1020.0, Setback("no answer"))
        assert claim(now=1030.0) == second

    def test_a_success_lets_all_go_again(self, put, claim, do):
        put("a")
        put("b")
        do("circuits", "worked", "pacs")
        assert claim(owner="a")
        assert claim(owner="b")

    def test_others_do_not_care(self, put, claim):
        assert claim(Sender("share")) is None
        number = put("a", "share")
        assert claim(Sender("share")) == number


def test_order_is_restored_for_those_without_fault(db, put, claim, do):
    blameless, guilty = put("a", now=1.0), put("b", now=2.0)
    for number, fault in ((blameless, False), (guilty, True)):
        assert claim() == number
        do("deliveries", "postpone", number, "a", 2000.0, Setback("no answer", own_fault=fault))
    assert do("outbox", "restore_order", "share", 1000.0) == 0
    assert do("outbox", "restore_order", "pacs", 1000.0) == 1
    with db.reading() as tx:
        assert [tx.deliveries.get(n).next_attempt_at for n in (blameless, guilty)] == [1.0, 2000.0]


class TestStandingIn:
    BACKUP = Sender("backup", 9, {"pacs": {"pacs": 600.0}})

    @pytest.fixture(autouse=True)
    def down(self, do):
        do("circuits", "failed", "pacs", 100.0, "refused")
        do("circuits", "open", "pacs", 2000.0)

    def test_takes_over_when_the_other_is_down_for_long(self, put, claim, db):
        number = put("a")
        assert claim(self.BACKUP, now=699.0) is None
        assert claim(self.BACKUP, now=700.0) == number
        with db.reading() as tx:
            assert (tx.deliveries.get(number).destination, tx.deliveries.get(number).via) == ("pacs", "backup")

    def test_its_own_come_first(self, put, claim):
        put("a", now=1.0)
        own = put("b", "backup", now=2.0)
        assert claim(self.BACKUP) == own

    def test_leaves_it_to_the_other_where_that_is_to_be_tried(self, put, claim):
        number = put("a")
        assert claim(self.BACKUP, now=2000.0) is None
        assert claim(PACS, now=2000.0) == number

    def test_what_the_other_holds_a_part_of_stays_there(self, put, claim, do, db):
        number = put("a")
        assert claim(PACS, now=2000.0) == number
        do("deliveries", "postpone", number, "a", 2001.0, Setback("aborted", {"2.25.1": "0x0000"}, held=["2.25.1"]))
        do("circuits", "open", "pacs", 3000.0)
        assert claim(self.BACKUP, now=2010.0) is None
        assert claim(PACS, now=3000.0) == number
        with db.reading() as tx:
            assert tx.deliveries.get(number).statuses == {"2.25.1": "0x0000"}

    @pytest.fixture
    def begun(self, put, claim, do):
        """A delivery of which the backup holds a part, and the other is back."""
        number = put("a")
        assert claim(self.BACKUP) == number
        do("deliveries", "postpone", number, "a", 1001.0, Setback("aborted", {"2.25.1": "0x0000"}, held=["2.25.1"]))
        do("circuits", "worked", "pacs")
        return number

    def test_what_it_holds_a_part_of_stays_here(self, begun, claim):
        assert claim(replace(PACS, alternatives=("backup", "last")), now=1010.0) is None
        assert claim(self.BACKUP, now=1010.0) == begun

    @pytest.mark.parametrize("left", [(), ("last",)], ids=["none", "another"])
    def test_what_it_holds_a_part_of_goes_whole_where_it_stands_in_no_more(self, begun, claim, db, left):
        assert claim(replace(PACS, alternatives=left), now=1010.0) == begun
        with db.reading() as tx:
            found = tx.deliveries.get(begun)
        assert (found.via, found.statuses) == ("pacs", {})

    def test_what_it_got_whole_goes_where_it_was_meant_to_when_a_person_sends_it_again(self, put, claim, do, db):
        number = put("a")
        assert claim(self.BACKUP) == number
        do("deliveries", "sent", number, "a", 1001.0, {"2.25.1": "0x0000"})
        do("circuits", "worked", "pacs")
        do("deliveries", "retry", number, 1002.0)
        assert claim(self.BACKUP, now=1010.0) is None
        assert claim(replace(PACS, alternatives=("backup",)), now=1010.0) == number
        with db.reading() as tx:
            assert tx.deliveries.get(number).statuses == {}

    def test_what_comes_here_anyway_does_not_come_twice(self, put, claim, do, db, job):
        put("a")
        with db.transaction() as tx:
            own = tx.deliveries.add("a", job.study_instance_uid, "backup", DeliveryState.PENDING, 300.0)
        assert [claim(self.BACKUP), claim(self.BACKUP)] == [own, None]

    def test_takes_no_rejection_note_on_what_the_other_holds(self, put, claim, make_job, db, job):
        with db.transaction() as tx:
            tx.jobs.add(make_job("note", state=JobState.DONE, rejects="a"))
            note = tx.deliveries.add("note", job.study_instance_uid, "pacs", DeliveryState.PENDING, 300.0)
        assert claim(self.BACKUP, now=1010.0) is None
        assert claim(PACS, now=2000.0) == note

    def test_the_second_in_the_row_waits_for_the_first(self, put, claim, do):
        number = put("a")
        last = Sender("last", 9, {"pacs": {"pacs": 600.0, "backup": 60.0}})
        assert claim(last) is None
        do("circuits", "failed", "backup", 900.0, "refused")
        do("circuits", "open", "backup", 1100.0)
        assert claim(last) == number


def test_waiting_is_counted_by_destination(put, claim, do):
    put("a")
    put("b")
    put("c", "share")
    number = claim()
    assert do("outbox", "waiting") == {"pacs": 2, "share": 1}
    do("deliveries", "sent", number, "a", 1001.0, {})
    assert do("outbox", "waiting") == {"pacs": 1, "share": 1}


def test_hopeless_is_what_waits_too_long_or_for_nobody(put, claim, do):
    old, lost, young = put("a", now=1.0), put("b", "gone", now=500.0), put("c", now=500.0)

    def hopeless(now):
        return [delivery.delivery_id for delivery in do("outbox", "hopeless", now, 100.0, ["pacs"])]

    assert hopeless(1000.0) == [old, lost]
    assert claim(now=1000.0) == old
    assert hopeless(1000.0) == [lost], "what is under way is left to its sender"
    assert young
