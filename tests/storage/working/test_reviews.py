"""Reviews: one an object, the newest of a job counts, and what waits to be read holds no study up."""

from dataclasses import replace

import pytest

from storage.arriving.rejections import RETENTION_EXPIRED, Rejection
from storage.errors import BadIdentifier
from storage.lifecycle import JobState
from storage.records import InstanceKind
from storage.tables import reviews
from storage.working.reviews import Reviewed, ReviewKind

STUDY = "1.2.826.0.1.1"


def review(number=1, job="job-1", at=300.0, **summary):
    return Reviewed(f"1.2.9.{number}", job, STUDY, at, summary)


def test_a_review_is_kept_once(db, job):
    with db.transaction() as tx:
        assert tx.reviews.add(review(dice=0.75))
        assert not tx.reviews.add(review(at=400.0, dice=0.5))
    with db.reading() as tx:
        assert tx.reviews.of_study(STUDY) == [review(dice=0.75)]
        assert tx.reviews.of_study("1.2.3") == []


def test_the_newest_of_a_job_counts_and_the_older_stays_listed(db, job, make_job):
    with db.transaction() as tx:
        tx.jobs.add(make_job("job-2", task="liver_tumour", state=JobState.DONE))
        for one in (review(1, at=500.0), review(2, at=400.0), review(3, "job-2", 450.0)):
            tx.reviews.add(one)
    with db.reading() as tx:
        assert [one.at for one in tx.reviews.of_study(STUDY)] == [400.0, 450.0, 500.0]
        assert tx.reviews.counting() == [review(3, "job-2", 450.0), review(1, at=500.0)]
        assert tx.reviews.counting(since=460.0) == [review(1, at=500.0)]
        assert tx.reviews.counting(tasks=["liver_tumour"]) == [review(3, "job-2", 450.0)]
        assert tx.reviews.count() == 2


def test_what_a_note_took_back_leaves_the_word_to_what_stands(db, job):
    with db.transaction() as tx:
        for one in (review(1), review(2, at=400.0)):
            tx.reviews.add(one)
        tx.rejections.add([Rejection("1.2.9.2", "1.2.9.7", STUDY, "113001", 500.0)])
        tx.rejections.add([Rejection("1.2.9.1", "1.2.9.8", STUDY, RETENTION_EXPIRED, 600.0)])
    with db.reading() as tx:
        assert [one.taken_back for one in tx.reviews.of_study(STUDY)] == [False, True]
        assert tx.reviews.counting() == [review(1)]
        assert [one.taken_back for one in tx.reviews.counting(since=350.0)] == [True], "there is no other to tell of"


def test_a_report_is_a_review_and_no_truth(db, job):
    report = replace(review(2, at=500.0, findings={"kept": 1}), kind=ReviewKind.SR)
    with db.transaction() as tx:
        for one in (review(1), report):
            assert tx.reviews.add(one)
    with db.reading() as tx:
        assert tx.reviews.of_study(STUDY) == [review(1), report]
        assert tx.reviews.counting() == [review(1)], "also where a report is the newer one"
        assert tx.reviews.counting(since=400.0) == []
        assert tx.reviews.count() == 1


def test_what_a_program_of_before_wrote_is_a_segmentation(db, job):
    with db.transaction() as tx:
        row = {"sop_uid": "1.2.9.1", "job_id": "job-1", "study_uid": STUDY, "at": 300.0, "summary": {}}
        tx._connection.execute(reviews.insert().values(row))
        assert tx.reviews.of_study(STUDY) == [review()]


def test_what_is_no_uid_is_refused(db, job):
    with pytest.raises(BadIdentifier), db.transaction() as tx:
        tx.reviews.add(Reviewed("../../etc", "job-1", STUDY, 1.0))


KINDS = pytest.mark.parametrize("kind", [InstanceKind.SEGMENTATION, InstanceKind.REPORT])


@KINDS
def test_what_may_be_a_review_waits_to_be_read_and_its_study_does_not_wait_for_it(db, study, make_instance, kind):
    sent = make_instance(7, kind=kind)
    with db.transaction() as tx:
        tx.studies.add_instance(sent)
        assert tx.versions.unread(kind) == [sent]
        assert [one.study_instance_uid for one in tx.studies.settled(1000.0, 10.0)] == [study]
        assert tx.removals.of(study).unread, "but retention does"
        assert tx.versions.mark_read(sent)
        assert not tx.versions.any_unread(kind)
        assert not tx.removals.of(study).unread


@KINDS
def test_our_own_object_that_comes_back_waits_for_nothing(db, job, make_instance, make_result, kind):
    with db.transaction() as tx:
        tx.results.add(make_result("1.2.9.5"))
        tx.studies.add_instance(make_instance(sop_instance_uid="1.2.9.5", kind=kind))
        assert not tx.versions.any_unread(kind)


def test_a_review_outlives_its_study(db, job):
    with db.transaction() as tx:
        tx.jobs.claim("me", 210.0, 60.0)
        tx.jobs.finish("job-1", "me", JobState.DONE, 220.0)
        tx.reviews.add(review())
        tx.removals.remove(STUDY, 1000.0)
        assert tx.reviews.of_study(STUDY) == [review()]
