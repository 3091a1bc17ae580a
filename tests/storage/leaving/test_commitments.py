"""What we ask of destinations: one transaction each, asked again without a report, closed with one."""

import pytest

from storage.errors import IllegalStep, LeaseLost
from storage.lifecycle import CommitmentState, DeliveryState
from storage.records import CommitmentReport, Reference

TERM = 60.0
SEG = Reference("1.2.840.10008.5.1.4.1.1.66.4", "2.25.1")
SR = Reference("1.2.840.10008.5.1.4.1.1.88.33", "2.25.2")


@pytest.fixture
def delivery(db, job):
    with db.transaction() as tx:
        return tx.deliveries.add(job.job_id, job.study_instance_uid, "pacs", DeliveryState.PENDING, 300.0)


@pytest.fixture
def do(db):
    """Take one step in a transaction of its own."""

    def step(name, *arguments, **more):
        with db.transaction() as tx:
            return getattr(tx.commitments, name)(*arguments, **more)

    return step


@pytest.fixture
def ask(do, delivery, job):
    """Note a request for the delivery; gives its Transaction UID."""

    def add(due_at=400.0):
        about = {"study_uid": job.study_instance_uid, "delivery_id": delivery}
        return do("add", "pacs", [SEG, SR], 390.0, due_at=due_at, **about)

    return add


def test_a_request_outlives_us(db, ask, delivery, job):
    uid = ask()
    with db.reading() as tx:
        kept = tx.commitments.find(uid)
        assert tx.commitments.newest_of(delivery) == kept
        assert tx.commitments.of_study(job.study_instance_uid) == [kept]
        assert tx.commitments.find("2.25.404") is None
    assert (kept.instances, kept.destination, kept.state) == ((SEG, SR), "pacs", CommitmentState.PENDING)
    assert (kept.created_at, kept.next_attempt_at, kept.asked, kept.report) == (390.0, 400.0, 0, None)


def test_each_request_has_a_uid_of_its_own(ask):
    first, second = ask(), ask()
    assert first != second
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in (first, second))


def test_a_delivery_that_is_sent_again_has_one_open_request(do, ask):
    first, second = ask(), ask()
    assert do("find", first).state is CommitmentState.GIVEN_UP
    assert do("find", second).state is CommitmentState.PENDING


def test_claim_takes_what_is_due_and_counts(do, ask):
    ask(due_at=400.0)
    assert (do("due", 399.0), do("claim", "a", 399.0, TERM)) == (False, None)
    assert do("due", 400.0)
    claimed = do("claim", "a", 400.0, TERM)
    assert (claimed.attempts, claimed.lease_owner, claimed.lease_until) == (1, "a", 460.0)
    assert do("claim", "b", 400.0, TERM) is None
    assert do("claim", "b", 460.0, TERM).attempts == 2, "its owner has died"


def test_taken_by_the_destination_it_waits_for_the_report(do, ask):
    uid = ask()
    number = do("claim", "a", 400.0, TERM).commitment_id
    do("asked", number, "a", 405.0, 4000.0)
    found = do("find", uid)
    assert (found.asked, found.asked_at, found.attempts) == (1, 405.0, 0)
    assert do("claim", "a", 3999.0, TERM) is None
    assert do("claim", "a", 4000.0, TERM).asked == 1


def test_without_a_report_it_is_asked_again_under_another_uid(do, ask, delivery):
    uid = ask()
    do("asked", do("claim", "a", 400.0, TERM).commitment_id, "a", 405.0, 4000.0)
    other = do("again", do("claim", "a", 4000.0, TERM), "a", 4000.0)
    old, new = do("find", uid), do("find", other)
    assert (old.state, new.state) == (CommitmentState.GIVEN_UP, CommitmentState.PENDING)
    assert (new.instances, new.delivery_id, new.created_at) == (old.instances, delivery, 390.0)
    assert (old.asked_at, new.asked_at, new.asked) == (405.0, None, 1)
    assert do("claim", "a", 4000.0, TERM).transaction_uid == other


def test_a_report_makes_it_due_at_once(do, ask):
    uid = ask()
    do("asked", do("claim", "a", 400.0, TERM).commitment_id, "a", 405.0, 4000.0)
    assert do("report", uid, CommitmentReport(("2.25.1", "2.25.2")), 500.0)
    due = do("claim", "a", 500.0, TERM)
    assert due.report == CommitmentReport(("2.25.1", "2.25.2"), {})


def test_a_report_may_be_quicker_than_our_note_that_we_asked(do, ask):
    uid = ask()
    number = do("claim", "a", 400.0, TERM).commitment_id
    do("report", uid, CommitmentReport(("2.25.1", "2.25.2")), 401.0)
    do("asked", number, "a", 405.0, 4000.0)
    assert (do("find", uid).asked, do("find", uid).next_attempt_at) == (1, 401.0)


def test_a_report_speaks_of_what_was_asked_for_and_leaves_nothing_open(do, ask):
    uid = ask()
    do("report", uid, CommitmentReport(("2.25.1", "9.9.9"), {"8.8": 0x0112}), 500.0)
    assert do("find", uid).report == CommitmentReport(("2.25.1",), {"2.25.2": 0})


def test_who_says_yes_and_no_says_no(do, ask):
    uid = ask()
    do("report", uid, CommitmentReport(("2.25.1", "2.25.2"), {"2.25.2": 0x0110}), 500.0)
    assert do("find", uid).report == CommitmentReport(("2.25.1",), {"2.25.2": 0x0110})


def test_the_first_report_stands(do, ask):
    uid = ask()
    for report in (CommitmentReport(("2.25.1", "2.25.2")), CommitmentReport((), {"2.25.1": 0x0112})):
        assert do("report", uid, report, 500.0)
    assert do("find", uid).report.failed == {}


def test_a_report_on_what_nobody_asked_is_not_ours(do, ask):
    ask()
    assert do("report", "2.25.404", CommitmentReport(("2.25.1",)), 500.0) is False


def test_a_report_that_comes_after_we_gave_up_still_counts(do, ask):
    uid = ask()
    do("end", do("claim", "a", 400.0, TERM).commitment_id, "a", CommitmentState.GIVEN_UP, "no report")
    do("report", uid, CommitmentReport(("2.25.1", "2.25.2")), 9000.0)
    assert do("find", uid).state is CommitmentState.PENDING
    assert do("due", 9000.0)


def test_an_ended_one_stays_ended(do, ask):
    uid = ask()
    number = do("claim", "a", 400.0, TERM).commitment_id
    do("end", number, "a", CommitmentState.COMMITTED)
    assert do("report", uid, CommitmentReport((), {"2.25.1": 0x0112}), 9000.0)
    assert (do("find", uid).state, do("find", uid).report) == (CommitmentState.COMMITTED, None)
    with pytest.raises(IllegalStep):
        do("end", number, "a", CommitmentState.PENDING)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("asked", (1.0, 2.0)), ("postpone", (1.0, "refused")), ("end", (CommitmentState.COMMITTED,))],
)
def test_whoever_lost_the_lease_changes_nothing(do, ask, name, arguments):
    uid = ask()
    number = do("claim", "a", 400.0, TERM).commitment_id
    do("claim", "b", 460.0, TERM)
    before = do("find", uid)
    with pytest.raises(LeaseLost):
        do(name, number, "a", *arguments)
    assert do("find", uid) == before


def test_reap_gives_back_what_a_dead_owner_held(do, ask):
    ask()
    do("claim", "a", 400.0, TERM)
    assert (do("reap", 459.0), do("reap", 460.0), do("reap", 460.0)) == (0, 1, 0)
