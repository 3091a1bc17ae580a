"""What is asked of peers: one fetch a study, leased, postponed and ended; and what arrives while it runs."""

from dataclasses import replace

import pytest

from storage.errors import BadIdentifier, LeaseLost
from storage.lifecycle import FetchState, JobState, StudyState
from storage.records import FetchPurpose, InstanceKind, Tally, Wanted

UID = "1.2.826.0.1.1"
MISSING, PROCESS = FetchPurpose.MISSING, FetchPurpose.PROCESS
ENDED = (FetchState.DONE, FetchState.GIVEN_UP)
WISH = Wanted(UID, "pacs", MISSING, patience_s=600.0, not_before=300.0, policy={"retrieve": "move"})


def want(db, wanted=WISH, now=300.0, over=tuple(FetchState)):
    with db.transaction() as tx:
        return tx.fetches.want(wanted, now, over=over)


def claim(db, now=300.0, purpose=MISSING, owner="a", **how):
    with db.transaction() as tx:
        return tx.fetches.claim(owner, now, 30.0, purpose, **how)


def find(db, uid=UID):
    with db.reading() as tx:
        return tx.fetches.find(uid)


def end(db, state=FetchState.DONE, uid=UID, owner="a"):
    with db.transaction() as tx:
        tx.fetches.end(uid, owner, state, 400.0, "because", Tally(40, 0, 3))


def test_what_is_wanted_is_claimed_when_it_is_due(db):
    assert want(db)
    assert claim(db, now=299.0) is None
    assert claim(db, purpose=PROCESS) is None
    fetch = claim(db, now=310.0)
    assert (fetch.peer, fetch.purpose, fetch.policy, fetch.attempts) == ("pacs", MISSING, {"retrieve": "move"}, 1)
    assert (fetch.deadline, fetch.lease_until) == (910.0, 340.0)
    assert fetch.tally == Tally(None, None, 0)
    assert claim(db, now=310.0, owner="b") is None, "it is held"


def test_the_deadline_begins_with_the_first_attempt_and_outlives_a_dead_owner(db):
    want(db)
    assert claim(db, now=310.0).deadline == 910.0
    again = claim(db, now=341.0, owner="b")
    assert (again.deadline, again.attempts) == (910.0, 2)
    with pytest.raises(LeaseLost):
        end(db, owner="a")


def test_it_waits_while_a_sender_is_at_its_study(db, study):
    want(db)
    assert claim(db) is None
    with db.transaction() as tx:
        tx.studies.move(UID, StudyState.FETCHING, 300.0)
    assert claim(db) is not None


def test_postponed_it_keeps_what_is_known(db):
    want(db)
    claim(db)
    with db.transaction() as tx:
        tx.fetches.postpone(UID, "a", 320.0, "3 of 40 images are not here", Tally(40, 3, 0))
    fetch = find(db)
    assert (fetch.tally, fetch.reason, fetch.lease_owner) == (Tally(40, 3, 0), "3 of 40 images are not here", None)
    assert claim(db, now=319.0) is None
    assert claim(db, now=320.0).attempts == 2


def test_renewing_tells_how_many_have_come(db):
    want(db)
    claim(db)
    with db.transaction() as tx:
        tx.fetches.renew(UID, "a", 320.0, 30.0, fetched=7)
    assert (find(db).lease_until, find(db).tally.fetched) == (350.0, 7)
    with pytest.raises(LeaseLost), db.transaction() as tx:
        tx.fetches.renew(UID, "b", 320.0, 30.0)


def test_ended_it_is_claimed_no_more_and_can_be_wanted_anew(db):
    want(db)
    claim(db)
    end(db)
    fetch = find(db)
    assert (fetch.state, fetch.ended_at, fetch.reason) == (FetchState.DONE, 400.0, "because")
    assert fetch.tally == Tally(40, 0, 3)
    assert claim(db, now=500.0) is None
    assert not want(db, over=(FetchState.GIVEN_UP,))
    assert want(db, replace(WISH, peer="other"), now=500.0, over=ENDED)
    fetch = find(db)
    assert (fetch.peer, fetch.state, fetch.attempts, fetch.deadline, fetch.reason) == (
        "other", FetchState.PENDING, 0, None, ""
    )  # fmt: skip


def test_one_that_waits_is_not_wanted_twice_but_a_new_arrival_begins_it_anew(db):
    want(db)
    assert not want(db, over=ENDED)
    claim(db)
    assert want(db, now=350.0)
    assert find(db).attempts == 0
    with pytest.raises(LeaseLost):
        end(db)


def test_a_uid_that_is_none_is_not_wanted(db):
    with pytest.raises(BadIdentifier):
        want(db, replace(WISH, study_instance_uid="../etc"))


def test_the_longest_due_comes_first_and_a_list_shows_them_so(db):
    for number, at in ((1, 302.0), (2, 301.0)):
        want(db, replace(WISH, study_instance_uid=f"1.2.{number}", not_before=at))
    with db.reading() as tx:
        assert [f.study_instance_uid for f in tx.fetches.list([FetchState.PENDING], MISSING)] == ["1.2.2", "1.2.1"]
        assert tx.fetches.counts() == {FetchState.PENDING: 2}
        assert (tx.fetches.last_begin(MISSING), tx.fetches.last_begin(PROCESS)) == (302.0, None)
    assert claim(db, now=310.0).study_instance_uid == "1.2.2"


class TestInFlight:
    """Studies that a person wanted, from their first attempt to the end of their jobs."""

    @pytest.fixture(autouse=True)
    def _wish(self, db):
        want(db, replace(WISH, purpose=PROCESS))

    def flying(self, db):
        with db.reading() as tx:
            return tx.fetches.in_flight()

    def test_one_that_waits_is_not_counted_and_does_not_begin_beyond_the_limit(self, db):
        assert self.flying(db) == 0
        assert claim(db, purpose=PROCESS, begun_only=True) is None
        assert claim(db, purpose=PROCESS) is not None
        assert self.flying(db) == 1
        with db.transaction() as tx:
            tx.fetches.postpone(UID, "a", 310.0, "", Tally())
        assert claim(db, now=310.0, purpose=PROCESS, begun_only=True) is not None, "what has begun goes on"

    def test_it_is_counted_until_its_jobs_have_ended(self, db, make_instance, make_job):
        claim(db, purpose=PROCESS)
        with db.transaction() as tx:
            tx.studies.add_instance(make_instance(fetched=True))
        end(db)
        with db.transaction() as tx:
            tx.studies.move(UID, StudyState.COMPLETE, 400.0)
        assert self.flying(db) == 1
        with db.transaction() as tx:
            tx.studies.move(UID, StudyState.DISPATCHED, 400.0)
            tx.jobs.add(make_job())
            tx.jobs.add(make_job("job-2"))
        assert self.flying(db) == 1
        with db.transaction() as tx:
            for _ in range(2):
                tx.jobs.finish(tx.jobs.claim("w", 400.0, 60.0).job_id, "w", JobState.DONE, 401.0)
        assert self.flying(db) == 0


class TestWhatIsFetched:
    """It joins its study; it neither opens nor delays anything while its fetch runs."""

    @pytest.fixture
    def begun(self, db, study):
        """A study in FETCHING, its fetch claimed."""
        want(db)
        with db.transaction() as tx:
            tx.studies.move(UID, StudyState.FETCHING, 300.0)
        claim(db)

    def arrive(self, db, instance):
        with db.transaction() as tx:
            tx.studies.add_instance(instance)
            return tx.studies.get(UID)

    def test_a_missing_image_leaves_the_study_fetching(self, db, begun, make_instance):
        found = self.arrive(db, make_instance(2, fetched=True, received_at=310.0))
        assert (found.state, found.images, found.changed_at) == (StudyState.FETCHING, 2, 101.0)
        with db.reading() as tx:
            assert [instance.fetched for instance in tx.studies.instances(study_uid=UID)] == [False, True]

    def test_an_image_from_a_sender_opens_it_again_and_fetched_ones_do_not_restart_its_quiet_time(
        self, db, begun, make_instance
    ):
        assert self.arrive(db, make_instance(2, received_at=310.0)).state is StudyState.RECEIVING
        found = self.arrive(db, make_instance(3, fetched=True, received_at=320.0))
        assert (found.state, found.images, found.changed_at) == (StudyState.RECEIVING, 3, 310.0)

    def test_its_association_is_no_sender(self, db, begun, make_instance):
        with db.transaction() as tx:
            tx.associations.open("pacs-1", "receive", "PACS", "SEGNODE", "127.0.0.1", 305.0, 60.0)
        found = self.arrive(db, make_instance(2, fetched=True, association_id="pacs-1"))
        assert found.calling_aets == ()

    def test_one_that_comes_after_the_end_is_a_late_image(self, db, begun, make_instance):
        end(db, FetchState.GIVEN_UP)
        with db.transaction() as tx:
            tx.studies.move(UID, StudyState.COMPLETE, 400.0, incomplete="incomplete: 3 of 40 images missing")
        with db.reading() as tx:
            assert tx.studies.get(UID).incomplete == "incomplete: 3 of 40 images missing"
        found = self.arrive(db, make_instance(2, fetched=True, received_at=410.0))
        assert (found.state, found.changed_at) == (StudyState.RECEIVING, 410.0)

    @pytest.mark.parametrize("kind", [InstanceKind.IMAGE, InstanceKind.OTHER])
    def test_a_study_that_a_person_wanted_begins_fetching_and_knows_who_sent_it(self, db, make_instance, kind):
        want(db, replace(WISH, purpose=PROCESS))
        with db.transaction() as tx:
            tx.associations.open("pacs-1", "receive", "PACS", "SEGNODE", "127.0.0.1", 305.0, 60.0)
        claim(db, purpose=PROCESS)
        found = self.arrive(db, make_instance(1, kind=kind, fetched=True, association_id="pacs-1"))
        assert (found.state, found.calling_aets) == (StudyState.FETCHING, ("PACS",))

    def test_a_study_through_is_held_again_until_the_wish_is_fulfilled(self, db, study, make_instance):
        with db.transaction() as tx:
            tx.studies.move(UID, StudyState.COMPLETE, 200.0)
            tx.studies.move(UID, StudyState.DISPATCHED, 200.0)
        want(db, replace(WISH, purpose=PROCESS))
        claim(db, purpose=PROCESS)
        assert self.arrive(db, make_instance(2, fetched=True)).state is StudyState.FETCHING

    def test_what_comes_as_a_prior_of_a_study_that_a_person_wants_waits_for_the_rest_of_it(self, db, make_instance):
        want(db, replace(WISH, purpose=PROCESS))
        with db.transaction() as tx:
            tx.fetches.mark_prior(UID, "pacs", 200.0)
        assert self.arrive(db, make_instance(1, fetched=True)).state is StudyState.FETCHING
        assert claim(db, purpose=PROCESS) is not None, "the wish has its turn"

    def test_what_is_here_is_known_without_its_headers(self, db, study, make_instance):
        with db.transaction() as tx:
            tx.studies.add_instance(make_instance(content="other pixels"))
            tx.studies.add_instance(make_instance(2, kind=InstanceKind.OTHER))
            known = tx.studies.known(UID)
        image, other = (f"{UID}.1", f"{UID}.1.1", InstanceKind.IMAGE), (f"{UID}.1", f"{UID}.1.2", InstanceKind.OTHER)
        assert sorted(known) == [image, image, other]
