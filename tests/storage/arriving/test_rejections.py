"""What notes reject, arrived or not; and which of our results that left are owed a note of ours."""

from dataclasses import replace

import pytest

from storage.arriving.rejections import Rejection
from storage.errors import BadIdentifier
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobMark, JobState

STUDY = "1.2.826.0.1.1"


def rejection(uid="1.2.826.0.1.1.1.1", note="2.25.9", study=STUDY):
    return Rejection(uid, note, study, "113001", 500.0)


def test_the_same_note_twice_rejects_once(db):
    with db.transaction() as tx:
        assert tx.rejections.add([rejection(), rejection("1.2.4")]) == 2
        assert tx.rejections.add([rejection(), rejection(note="2.25.10")]) == 1
        assert len(tx.rejections.of_study(STUDY)) == 3
        assert tx.rejections.of_study("1.2.3") == []


def test_rejected_instances_are_left_out_where_that_is_asked(db, study, make_instance):
    with db.transaction() as tx:
        tx.studies.add_instance(make_instance(2))
        tx.rejections.add([rejection(make_instance(1).sop_instance_uid), rejection("1.2.99")])
        assert len(tx.studies.instances(study_uid=study)) == 2
        assert tx.studies.instances(study_uid=study, rejected=False) == [make_instance(2)]


def test_what_is_no_uid_is_refused(db):
    with pytest.raises(BadIdentifier), db.transaction() as tx:
        tx.rejections.add([rejection("../../etc")])


def send(tx, job_id, destination, now=300.0, by=None):
    number = tx.deliveries.add(job_id, STUDY, destination, DeliveryState.PENDING, now)
    tx.outbox.claim(by or Sender(destination), "me", now, 60.0)
    tx.deliveries.sent(number, "me", now, {})


@pytest.fixture
def superseded(db, job, make_result):
    """A job whose results are at pacs and ward, and that a later generation has replaced."""
    with db.transaction() as tx:
        tx.results.add(make_result(job_id=job.job_id))
        send(tx, job.job_id, "pacs")
        send(tx, job.job_id, "ward")
        tx.deliveries.add(job.job_id, STUDY, "never", DeliveryState.HELD, 300.0)
        tx.jobs.supersede(job.job_id, 400.0, "late images")
    return job.job_id


def owed(db, *destinations):
    with db.reading() as tx:
        return tx.rejections.owed(destinations)


def test_owed_to_who_holds_superseded_results_and_follows_iocm(db, superseded):
    assert owed(db, "pacs") == {superseded: ["pacs"]}
    assert owed(db, "pacs", "ward", "never", "else") == {superseded: ["pacs", "ward"]}
    assert owed(db, "never") == {}


def test_owed_to_the_alternative_that_took_them_and_not_to_whom_they_were_meant_for(db, job, make_result):
    with db.transaction() as tx:
        tx.results.add(make_result(job_id=job.job_id))
        send(tx, job.job_id, "pacs", by=Sender("spare", stands_in={"pacs": {}}))
        tx.jobs.supersede(job.job_id, 400.0, "late images")
    assert owed(db, "pacs") == {}
    assert owed(db, "pacs", "spare") == {job.job_id: ["spare"]}
    with db.transaction() as tx:
        tx.jobs.add(replace(job, job_id="note", state=JobState.DONE, rejects=job.job_id))
        tx.deliveries.add("note", STUDY, "spare", DeliveryState.PENDING, 500.0)
    assert owed(db, "pacs", "spare") == {}


def test_nothing_is_owed_to_who_was_sent_no_object(db, superseded):
    with db.transaction() as tx:
        number = tx.deliveries.add(superseded, STUDY, "else", DeliveryState.PENDING, 300.0, variant="beef")
        tx.outbox.claim(Sender("else"), "me", 300.0, 60.0)
        tx.deliveries.sent(number, "me", 300.0, {})
    assert owed(db, "pacs", "else") == {superseded: ["pacs"]}


def test_nothing_is_owed_on_results_that_hold(db, job):
    with db.transaction() as tx:
        send(tx, job.job_id, "pacs")
        tx.jobs.mark(job.job_id, JobMark.STALE)
    assert owed(db, "pacs") == {}


def test_nothing_is_owed_twice(db, superseded, make_job):
    with db.transaction() as tx:
        tx.jobs.add(make_job("note", state=JobState.DONE, rejects=superseded))
        tx.deliveries.add("note", STUDY, "pacs", DeliveryState.PENDING, 500.0)
    assert owed(db, "pacs", "ward") == {superseded: ["ward"]}


def test_a_note_that_could_not_be_made_is_not_owed_for_ever(db, superseded, make_job):
    with db.transaction() as tx:
        tx.jobs.add(make_job("note", state=JobState.SUPERSEDED, rejects=superseded))
    assert owed(db, "pacs", "ward") == {}
