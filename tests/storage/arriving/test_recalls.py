"""Recalls: one a study, leased, postponed and ended; and how long a study waits for its own."""

import pytest

from storage.arriving.recalls import Prior
from storage.errors import LeaseLost
from storage.lifecycle import FetchState, RecallState, StudyState
from storage.records import REVIEWS, FetchPurpose, InstanceKind, Wanted

UID, OLD = "1.2.826.0.1.1", "1.2.826.0.1.9"
POLICY = {"retrieve": "get", "studies": 3, "years": 5}
PRIOR = Prior(OLD, f"{OLD}.5.1", f"{OLD}.1", (f"{OLD}.1.1", f"{OLD}.1.2"), "liver_tumour", "20250102", "20250102101500")


def want(db, now=300.0, peer="pacs"):
    with db.transaction() as tx:
        tx.recalls.want(UID, peer, POLICY, now, now + 60.0)


def claim(db, now=300.0, owner="a"):
    with db.transaction() as tx:
        return tx.recalls.claim(owner, now, 30.0)


def find(db):
    with db.reading() as tx:
        return tx.recalls.find(UID)


def end(db, state=RecallState.DONE, owner="a", found=()):
    with db.transaction() as tx:
        tx.recalls.end(UID, owner, state, 310.0, "because", found)


def test_what_is_wanted_is_claimed_by_one_and_its_deadline_counts_from_the_wish(db, study):
    want(db)
    recall = claim(db, now=310.0)
    assert (recall.peer, recall.policy, recall.attempts, recall.found) == ("pacs", POLICY, 1, ())
    assert (recall.deadline, recall.patience_s, recall.lease_until) == (360.0, 60.0, 340.0)
    assert claim(db, now=310.0, owner="b") is None, "it is held"
    assert claim(db, now=400.0, owner="b").attempts == 2, "its owner has died; it is ended also past its deadline"
    with pytest.raises(LeaseLost):
        end(db, owner="a")


def test_what_is_found_is_told_on_the_way_and_outlives_a_postponement(db, study):
    want(db)
    claim(db)
    with db.transaction() as tx:
        tx.recalls.tell(UID, "a", [PRIOR])
        tx.recalls.renew(UID, "a", 320.0, 30.0)
    assert (find(db).found, find(db).lease_until) == ((PRIOR,), 350.0)
    with db.transaction() as tx:
        tx.recalls.postpone(UID, "a", 330.0, "pacs cannot be reached")
    recall = find(db)
    assert (recall.found, recall.reason, recall.lease_owner) == ((PRIOR,), "pacs cannot be reached", None)
    assert claim(db, now=329.0) is None
    assert claim(db, now=330.0) is not None


def test_one_that_is_done_is_not_asked_again_and_one_that_was_given_up_is(db, study):
    want(db)
    claim(db)
    end(db, found=[PRIOR])
    want(db, now=500.0)
    assert (find(db).state, find(db).found, find(db).reason) == (RecallState.DONE, (PRIOR,), "because")
    with db.transaction() as tx:
        assert tx.recalls.counts() == {RecallState.DONE: 1}


def test_one_that_was_given_up_begins_anew_and_forgets_nothing(db, study):
    want(db)
    claim(db)
    end(db, RecallState.GIVEN_UP, found=[PRIOR])
    want(db, now=500.0, peer="other")
    recall = find(db)
    assert (recall.state, recall.peer, recall.deadline, recall.attempts, recall.ended_at) == (
        RecallState.PENDING, "other", 560.0, 0, None,
    )  # fmt: skip
    assert recall.found == (PRIOR,)


def test_one_that_runs_is_not_begun_anew(db, study):
    want(db)
    claim(db)
    want(db, now=340.0)
    assert (find(db).deadline, find(db).lease_owner) == (360.0, "a")


class TestReady:
    """Which COMPLETE studies dispatch may take."""

    @pytest.fixture(autouse=True)
    def _complete(self, db, study):
        with db.transaction() as tx:
            tx.studies.move(UID, StudyState.COMPLETE, 300.0)

    def ready(self, db, now):
        with db.reading() as tx:
            found = [study.study_instance_uid for study in tx.studies.ready(now)]
        with db.transaction() as tx:
            assert [study.study_instance_uid for study in tx.studies.ready(now)] == found
        return found

    def test_one_without_a_recall_is(self, db):
        assert self.ready(db, 300.0) == [UID]

    def test_one_whose_recall_is_pending_is_not_before_the_deadline_whoever_holds_it(self, db):
        want(db)
        assert self.ready(db, 359.9) == []
        claim(db, now=359.0)
        assert self.ready(db, 360.0) == [UID]

    @pytest.mark.parametrize("state", [RecallState.DONE, RecallState.GIVEN_UP])
    def test_one_whose_recall_has_ended_is(self, db, state):
        want(db)
        claim(db)
        end(db, state)
        assert self.ready(db, 310.0) == [UID]

    def test_one_that_waits_does_not_hide_the_next(self, db, make_instance):
        want(db)
        with db.transaction() as tx:
            tx.studies.add_instance(make_instance(study_instance_uid=OLD, received_at=50.0))
            tx.studies.move(OLD, StudyState.COMPLETE, 300.0)
        assert self.ready(db, 310.0) == [OLD]

    def test_one_that_has_been_dispatched_is_not(self, db):
        with db.transaction() as tx:
            tx.studies.move(UID, StudyState.NOT_ROUTED, 300.0)
        assert self.ready(db, 300.0) == []


class TestWhatComesAsAPrior:
    """It is kept, and nothing begins because of it."""

    @pytest.fixture(autouse=True)
    def _marked(self, db):
        with db.transaction() as tx:
            tx.fetches.mark_prior(OLD, "pacs", 300.0)

    def arrive(self, db, make_instance, number=1, fetched=True, **other):
        with db.transaction() as tx:
            tx.studies.add_instance(make_instance(number, study_instance_uid=OLD, fetched=fetched, **other))
            return tx.studies.get(OLD)

    @pytest.mark.parametrize("kind", [InstanceKind.IMAGE, InstanceKind.RESULT, *REVIEWS])
    def test_a_new_study_is_not_routed_from_its_first_instance_on(self, db, make_instance, kind):
        with db.transaction() as tx:
            tx.associations.open("pacs-1", "receive", "PACS", "SEGNODE", "127.0.0.1", 305.0, 60.0)
        found = self.arrive(db, make_instance, kind=kind, association_id="pacs-1")
        assert (found.state, found.calling_aets) == (StudyState.NOT_ROUTED, ())
        found = self.arrive(db, make_instance, 2)
        assert (found.state, found.images) == (StudyState.NOT_ROUTED, 2 if kind is InstanceKind.IMAGE else 1)
        with db.reading() as tx:
            assert tx.studies.settled(1e9, 0.0) == []

    def test_an_image_from_a_sender_opens_the_study(self, db, make_instance):
        self.arrive(db, make_instance)
        assert self.arrive(db, make_instance, 2, fetched=False).state is StudyState.RECEIVING

    @pytest.mark.parametrize("state", [StudyState.RECEIVING, StudyState.COMPLETE])
    def test_a_study_that_was_here_stays_as_it_is(self, db, make_instance, state):
        before = self.arrive(db, make_instance, fetched=False)
        if state is not StudyState.RECEIVING:
            with db.transaction() as tx:
                tx.studies.move(OLD, state, 200.0)
        found = self.arrive(db, make_instance, 2)
        assert (found.state, found.images, found.changed_at) == (state, 2, before.changed_at)

    def test_a_removed_one_comes_back_unrouted(self, db, make_instance):
        self.arrive(db, make_instance)
        with db.transaction() as tx:
            tx.removals.remove(OLD, 400.0)
        found = self.arrive(db, make_instance, received_at=500.0)
        assert (found.state, found.images, found.changed_at) == (StudyState.NOT_ROUTED, 1, 500.0)

    def test_who_wants_the_study_itself_gets_it(self, db, make_instance):
        wish = Wanted(OLD, "pacs", FetchPurpose.PROCESS, 60.0, 300.0)
        with db.transaction() as tx:
            assert tx.fetches.want(wish, 300.0, over=(FetchState.DONE,)), "nobody waits for the end of a prior"
            tx.fetches.claim("a", 300.0, 60.0, FetchPurpose.PROCESS)
            tx.fetches.mark_prior(OLD, "pacs", 301.0)
            assert tx.fetches.find(OLD).purpose is FetchPurpose.PROCESS, "a fetch that runs goes on as it is"
        assert self.arrive(db, make_instance).state is StudyState.FETCHING


def test_a_removed_study_forgets_what_was_found_for_it(db, study):
    want(db)
    with db.transaction() as tx:
        tx.removals.remove(UID, 400.0)
        assert tx.recalls.find(UID) is None


@pytest.mark.parametrize("copied", [True, False])
def test_a_correction_that_may_name_another_patient_has_the_archive_asked_anew(db, study, make_instance, copied):
    want(db)
    new = make_instance(content="another header")
    with db.transaction() as tx:
        tx.studies.add_instance(new)
        tx.versions.correct(make_instance(), new, {"PatientID": "P-2"}, copied=copied)
        assert (tx.recalls.find(UID) is None) is copied
