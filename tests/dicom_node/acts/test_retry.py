"""What ended badly goes again by a person's word, and no more than he asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_node.acts.retry import Retried, retry
from dicom_node.assembly import Parts
from dicom_node.audit.facts import PersonAction
from dicom_node.outgoing import KEPT_BACK
from inference.backends import build
from inference.request import Maker
from storage.errors import IllegalStep, NotFound
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobMark, JobState
from storage.records import Instance, InstanceKind, Job, ResultObject, StoredFile

NOW = 500.0


def states(parts: Parts) -> tuple[dict[str, str], dict[str, str]]:
    with parts.database.reading() as tx:
        jobs = {job.job_id: str(job.state) for job in tx.jobs.of_study("1.2.3")}
        deliveries = {d.destination: str(d.state) for d in tx.deliveries.of_study("1.2.3")}
    return jobs, deliveries


def again(parts: Parts, study: str | None, **asked: bool) -> Retried:
    with parts.database.transaction() as tx:
        return retry(tx, NOW, study, **asked)


def test_a_named_study_gets_its_failed_and_refused_jobs_and_dead_deliveries(story: Parts) -> None:
    assert again(story, "1.2.3") == Retried(jobs=2, deliveries=1)
    jobs, deliveries = states(story)
    assert jobs == {"job-0": "DONE", "job-1": "PENDING", "job-2": "PENDING", "job-3": "PENDING"}
    assert deliveries == {"held": "HELD", "dead": "PENDING", "sent": "SENT"}


def test_for_all_a_refused_job_stays_refused(story: Parts) -> None:
    assert again(story, None) == Retried(jobs=1, deliveries=1)
    assert states(story)[0]["job-2"] == "REFUSED"


def test_held_deliveries_go_when_a_person_says_so(story: Parts) -> None:
    assert again(story, None, release_held=True).deliveries == 2
    assert states(story)[1]["held"] == "PENDING"


def test_what_was_sent_goes_once_more_when_a_person_says_so(story: Parts) -> None:
    assert again(story, "1.2.3", resend=True).deliveries == 2
    assert states(story)[1] == {"held": "HELD", "dead": "PENDING", "sent": "PENDING"}


def test_what_was_asked_for_which_study_is_told_to_the_audit_trail(story: Parts) -> None:
    done = again(story, "1.2.3", resend=True, release_held=True)
    assert done.asked == (
        (PersonAction.RELEASE, "1.2.3"),
        (PersonAction.RESEND, "1.2.3"),
        (PersonAction.RETRY, "1.2.3"),
    )


def test_each_is_journalled(story: Parts) -> None:
    again(story, "1.2.3")
    with story.database.reading() as tx:
        told = [(entry.event, entry.text) for entry in tx.journal.of_study("1.2.3") if entry.at == NOW]
    assert told == [
        ("retried", "a person asked for it"),
        ("retried", "a person asked for it"),
        ("delivery retried", "a person asked for it: dead"),
    ]


def test_a_second_time_there_is_nothing_left(story: Parts) -> None:
    again(story, "1.2.3")
    assert again(story, "1.2.3") == Retried(0, 0)


def test_all_means_all(story: Parts) -> None:
    with story.database.transaction() as tx:
        for number in range(150):
            job_id = f"many-{number}"
            tx.jobs.add(Job(job_id, "1.2.3", 1, "r", "t", "m", JobState.PENDING, 9, {}, {}, 200.0))
            tx.jobs.claim("infer", 300.0, 5.0)
            tx.jobs.finish(job_id, "infer", JobState.FAILED, 301.0, "it failed")
            tx.deliveries.add(job_id, "1.2.3", "share", DeliveryState.HELD, 302.0)
    assert again(story, None, release_held=True) == Retried(jobs=151, deliveries=152)


@pytest.mark.parametrize(("ended", "number"), [(True, 1), (False, 0)])
def test_sending_what_a_person_brought_is_told_as_that(parts: Parts, ended: bool, number: int) -> None:
    with parts.database.transaction() as tx:
        image = Instance("1.2.3.1.1", CTImageStorage, "1.2.3.1", "1.2.3", ExplicitVRLittleEndian, InstanceKind.IMAGE,
                         StoredFile("a.dcm", 10, "a"), 100.0, "a-1", {"Modality": "CT"})
        tx.studies.add_instance(image, {})
        assert tx.by_hand.take("1.2.3", "a-1")
        tx.jobs.add(Job("job", "1.2.3", 1, "r", "t", "m", JobState.PENDING, 0, {}, {"by_hand": True}, 100.0))
        if ended:
            tx.jobs.claim("infer", 101.0, 5.0)
            tx.jobs.finish("job", "infer", JobState.DONE, 102.0, "", {KEPT_BACK: [["pacs", "", ""]]})
    done = again(parts, "1.2.3", resend=True)
    assert (done.deliveries, done.asked, done.anything) == (number, ((PersonAction.SEND, "1.2.3"),), True)
    assert states(parts)[1] == ({"pacs": "PENDING"} if ended else {})


def test_an_unknown_study_is_told(story: Parts) -> None:
    with pytest.raises(NotFound):
        again(story, "1.9.9")


@pytest.mark.parametrize("mark", [JobMark.STALE, JobMark.WITHDRAWN])
def test_what_is_no_longer_valid_is_not_sent_once_more(story: Parts, mark: JobMark) -> None:
    with story.database.transaction() as tx:
        tx.jobs.mark("job-0", mark)
    again(story, "1.2.3", resend=True)
    assert states(story)[1]["sent"] == "SENT"


@pytest.mark.parametrize("mark", [JobMark.STALE, JobMark.WITHDRAWN])
@pytest.mark.parametrize("study", ["1.2.3", None])
def test_what_is_no_longer_valid_goes_neither_from_the_dead_nor_from_the_held(
    story: Parts, mark: JobMark, study: str | None
) -> None:
    with story.database.transaction() as tx:
        tx.jobs.mark("job-0", mark)
    assert again(story, study, release_held=True).deliveries == 0
    assert states(story)[1] == {"held": "HELD", "dead": "DEAD", "sent": "SENT"}


@pytest.mark.parametrize("compared", [True, False])
def test_what_was_compared_is_not_made_again_without_its_prior(parts: Parts, compared: bool) -> None:
    file = StoredFile("x", 1, "y")
    image = Instance("1.2.7.1.1", CTImageStorage, "1.2.7.1", "1.2.7", ExplicitVRLittleEndian, InstanceKind.IMAGE, file,
                     9.0, "", {})  # fmt: skip
    older = replace(image, sop_instance_uid="1.2.6.1.1", series_instance_uid="1.2.6.1", study_instance_uid="1.2.6")
    prior = {"study": "1.2.6", "series": "1.2.6.1", "instances": ["1.2.6.1.1"], "segs": ["2.25.66"]}
    inputs = {"CT": {"series": "1.2.7.1", "instances": ["1.2.7.1.1"]}}
    whose = {"PatientID": "A 1", "PatientBirthDate": "18151210"}
    with parts.database.transaction() as tx:
        tx.studies.add_instance(image, whose)
        tx.jobs.add(Job("job", "1.2.7", 1, "r", "t", "m", JobState.PENDING, 9, inputs, {"prior": prior}, 200.0))
        tx.jobs.claim("infer", 201.0, 5.0)
        tx.jobs.finish("job", "infer", JobState.DONE, 202.0, "", {"trend": {"history": []}} if compared else {})
        tx.results.add(ResultObject("2.25.77", "1.2", "2.25.78", "job", "seg", StoredFile("a", 1, "b")))
        tx.removals.remove("1.2.7", 300.0)
        tx.studies.add_instance(replace(image, received_at=400.0), whose)
    if compared:
        with pytest.raises(IllegalStep, match="and 1 of 1 images of the prior are no longer held; put that right"):
            again(parts, "1.2.7", resend=True)
        with parts.database.transaction() as tx:
            tx.studies.add_instance(older, whose)
        with pytest.raises(IllegalStep, match="the prior's segmentation is no longer held"):
            again(parts, "1.2.7", resend=True)
        with parts.database.transaction() as tx:
            tx.studies.add_instance(replace(older, sop_instance_uid="2.25.66", kind=InstanceKind.RESULT))
    assert again(parts, "1.2.7", resend=True).jobs == 1


@pytest.mark.parametrize("other", [True, False])
def test_what_another_model_made_is_not_made_again(parts: Parts, other: bool) -> None:
    """As after an upgrade, which brings other shipped models: its UIDs are those of what the PACS holds."""
    settings = {"kind": "threshold", "lower": 0, "upper": 9, "label": 1}
    maker = Maker.of(build(settings).identity())._asdict() | ({"version": "0", "sha256": "ab"} if other else {})
    image = Instance("1.2.7.1.1", CTImageStorage, "1.2.7.1", "1.2.7", ExplicitVRLittleEndian, InstanceKind.IMAGE,
                     StoredFile("x", 1, "y"), 9.0, "", {})  # fmt: skip
    inputs = {"CT": {"series": "1.2.7.1", "instances": ["1.2.7.1.1"]}}
    with parts.database.transaction() as tx:
        tx.studies.add_instance(image)
        tx.jobs.add(Job("job", "1.2.7", 1, "r", "t", "m", JobState.PENDING, 9, inputs, {"model": settings}, 200.0))
        tx.jobs.claim("infer", 201.0, 5.0)
        tx.jobs.finish("job", "infer", JobState.DONE, 202.0, "", {"maker": maker})
        tx.results.add(ResultObject("2.25.77", "1.2", "2.25.78", "job", "seg", StoredFile("a", 1, "b")))
        tx.removals.remove("1.2.7", 300.0)
        tx.studies.add_instance(replace(image, received_at=400.0))
    if other:
        told = "was made by threshold 0, and threshold 1 is here now: .*`segnode run 1.2.7 --model m` makes a new one"
        with pytest.raises(IllegalStep, match=told):
            again(parts, "1.2.7", resend=True)
    else:
        assert again(parts, "1.2.7", resend=True).jobs == 1


def test_a_rejection_note_goes_once_more_until_retention_has_removed_it(story: Parts) -> None:
    study = "1.2.7"
    file = StoredFile("x", 1, "y")
    image = Instance("1.2.7.1.1", "1.2", "1.2.7.1", study, "1.2", InstanceKind.IMAGE, file, 9.0, "", {})
    with story.database.transaction() as tx:
        tx.studies.add_instance(image)
        tx.jobs.add(Job("note", study, 1, "", "t", "", JobState.DONE, 9, {}, {}, 200.0, rejects="job-0"))
        tx.results.add(ResultObject("2.25.77", "1.2", "2.25.78", "note", "rejection", StoredFile("a", 1, "b")))
        number = tx.deliveries.add("note", study, "ward", DeliveryState.PENDING, 300.0)
    for expected in (1, 0):
        with story.database.transaction() as tx:
            tx.outbox.claim(Sender("ward"), "me", 600.0, 10.0)
            tx.deliveries.sent(number, "me", 601.0, {})
            if not expected:
                tx.removals.remove(study, 610.0)
        assert again(story, study, resend=True) == Retried(0, expected)
