"""A rejection note stops what hangs on the images that it names, and holds for those that come later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dicom_node.objects.key_objects import BadNote, RejectionNote, Title
from dicom_node.pipeline import reject
from dicom_node.pipeline.reject import Reject
from storage.archive import Archive
from storage.database import Database
from storage.deliveries import Setback
from storage.errors import Unavailable
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobMark, JobState, StudyState
from storage.records import InstanceKind, Job, ResultObject, StoredFile

STUDY, IMAGES = "1.2.3", [f"1.2.3.1.{number}" for number in (1, 2, 3)]
JOB = "a" * 64


@pytest.fixture
def stage(database: Database, archive: Archive) -> Reject:
    return Reject(database, archive, revision=3)


@pytest.fixture
def say(
    monkeypatch: pytest.MonkeyPatch, arrive: Callable[..., None], stage: Reject
) -> Callable[..., None]:
    """`say(uids, title)` lets a note arrive that rejects `uids`, and be read."""

    def run(uids: list[str], title: Title = Title.QUALITY, study: str = STUDY) -> None:
        note = RejectionNote(title, {study: frozenset(uids)})
        monkeypatch.setattr(reject, "read_rejection", lambda *_: note)
        arrive(1, 60.0, kind=InstanceKind.NOTE, series="1.2.3.7", Modality="KO")
        assert stage.step(61.0)
        assert not stage.step(62.0), "a note is read once"

    return run


def job(database: Database) -> Job:
    with database.reading() as tx:
        return tx.jobs.get(JOB)


def events(database: Database, study: str = STUDY) -> list[str]:
    with database.reading() as tx:
        return [entry.event for entry in tx.journal.of_study(study)]


def deliver(database: Database, *states: DeliveryState) -> None:
    with database.transaction() as tx:
        for number, state in enumerate(states):
            delivery = tx.deliveries.add(JOB, STUDY, f"pacs-{number}", DeliveryState.PENDING, 30.0)
            tx.outbox.claim(Sender(f"pacs-{number}"), "me", 30.0, 10.0)
            if state is DeliveryState.SENT:
                tx.deliveries.sent(delivery, "me", 31.0, {})
            else:
                tx.deliveries.postpone(delivery, "me", 90.0, Setback("unreachable"))


@pytest.mark.parametrize("title", Title)
def test_a_waiting_job_ends(
    queue: Callable[..., Job], say: Callable[..., None], database: Database, title: Title
) -> None:
    queue()
    say(IMAGES[:1], title)
    assert (job(database).state, job(database).mark) == (JobState.SUPERSEDED, JobMark.NONE)
    assert title.words in job(database).reason
    assert events(database) == ["rejected", "superseded"]


def test_the_study_settles_anew_without_what_was_rejected(
    queue: Callable[..., Job], say: Callable[..., None], database: Database
) -> None:
    queue()
    say(IMAGES[:1])
    with database.reading() as tx:
        assert tx.studies.get(STUDY).state is StudyState.RECEIVING
        left = [i for i in tx.studies.instances(study_uid=STUDY, rejected=False) if i.kind is InstanceKind.IMAGE]
    assert [instance.sop_instance_uid for instance in left] == IMAGES[1:]


def test_delivered_results_are_withdrawn_and_the_rest_never_leaves(
    queue: Callable[..., Job], say: Callable[..., None], database: Database
) -> None:
    queue(state=JobState.DONE)
    deliver(database, DeliveryState.SENT, DeliveryState.PENDING)
    say(IMAGES)
    assert (job(database).state, job(database).mark) == (JobState.SUPERSEDED, JobMark.WITHDRAWN)
    with database.reading() as tx:
        assert [d.state for d in tx.deliveries.of_job(JOB)] == [DeliveryState.SENT, DeliveryState.SUPERSEDED]
    assert events(database) == ["rejected", "withdrawn"]


def test_what_was_right_and_has_expired_withdraws_nothing(
    queue: Callable[..., Job], say: Callable[..., None], database: Database
) -> None:
    queue(state=JobState.DONE)
    deliver(database, DeliveryState.SENT)
    say(IMAGES, Title.RETENTION_EXPIRED)
    assert (job(database).state, job(database).mark) == (JobState.DONE, JobMark.NONE)
    with database.reading() as tx:
        assert tx.studies.get(STUDY).state is StudyState.DISPATCHED
        assert len(tx.rejections.of_study(STUDY)) == 3, "but they are no input of a later job"


@pytest.fixture
def own_result(queue: Callable[..., Job], database: Database) -> str:
    """A SEG of ours that one destination has and another waits for."""
    queue(state=JobState.DONE)
    with database.transaction() as tx:
        tx.results.add(ResultObject("2.25.5", "1.2", "2.25.6", JOB, "seg", StoredFile("x", 1, "x")))
    deliver(database, DeliveryState.SENT, DeliveryState.PENDING)
    return "2.25.5"


def test_our_own_result_may_be_rejected(own_result: str, say: Callable[..., None], database: Database) -> None:
    say([own_result])
    assert (job(database).state, job(database).mark) == (JobState.DONE, JobMark.WITHDRAWN)
    with database.reading() as tx:
        assert tx.studies.get(STUDY).state is StudyState.DISPATCHED, "its images are as they were"
        assert tx.deliveries.of_job(JOB)[1].state is DeliveryState.SUPERSEDED


def test_our_own_result_may_expire_and_was_right(
    own_result: str, say: Callable[..., None], database: Database
) -> None:
    say([own_result], Title.RETENTION_EXPIRED)
    assert (job(database).state, job(database).mark) == (JobState.DONE, JobMark.NONE), "later studies compare with it"
    with database.reading() as tx:
        assert tx.deliveries.of_job(JOB)[1].state is DeliveryState.SUPERSEDED
    assert events(database) == ["rejected", "delivery stopped"]


def test_a_note_on_other_images_ends_nothing(
    queue: Callable[..., Job], say: Callable[..., None], database: Database
) -> None:
    queue()
    say(["1.2.3.1.99"])
    assert job(database).state is JobState.PENDING


def test_a_note_on_what_has_not_come_is_kept(say: Callable[..., None], database: Database) -> None:
    say(["1.2.88.1"], study="1.2.88")
    assert events(database, "1.2.88") == ["rejected"]
    with database.reading() as tx:
        told = [(one.sop_instance_uid, one.at) for one in tx.rejections.of_study("1.2.88")]
        assert told == [("1.2.88.1", 60.0)], "said when it came, not when it was read"
        assert tx.studies.find("1.2.88") is None


def test_what_is_no_document_at_all_means_no_work(
    stage: Reject, arrive: Callable[..., None], database: Database
) -> None:
    arrive(1, 60.0, kind=InstanceKind.NOTE, series="1.2.3.7", Modality="KO")
    assert stage.step(61.0)
    assert not stage.step(62.0)
    assert events(database) == []


def test_a_bad_note_is_journalled(
    stage: Reject, arrive: Callable[..., None], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(_path: Path, _syntax: str) -> None:
        raise BadNote("it selects instances that its evidence lacks")

    monkeypatch.setattr(reject, "read_rejection", bad)
    arrive(1, 60.0, kind=InstanceKind.NOTE, series="1.2.3.7", Modality="KO")
    stage.step(61.0)
    with database.reading() as tx:
        (entry,) = tx.journal.of_study(STUDY)
    assert entry.event == "note refused"
    assert "its evidence lacks" in entry.text


def test_key_images_mean_no_work(
    stage: Reject, arrive: Callable[..., None], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reject, "read_rejection", lambda *_: None)
    arrive(1, 60.0, kind=InstanceKind.NOTE, series="1.2.3.7", Modality="KO")
    assert stage.step(61.0)
    assert events(database) == []


@pytest.mark.parametrize("study", ["1.2.9", STUDY])
def test_a_note_whose_file_cannot_be_read_now_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch, arrive: Callable[..., None], stage: Reject, database: Database, study: str
) -> None:
    """A bad sector under the oldest note: those behind it may reject images that a patient is treated by."""
    broken = True

    def read_but(path: Path, _: str) -> RejectionNote:
        if path == bad and broken:
            raise Unavailable("the archive's disk failed: Input/output error")
        return RejectionNote(Title.QUALITY, {"1.2.7" if path == bad else STUDY: frozenset(IMAGES)})

    arrive(1, 60.0, kind=InstanceKind.NOTE, study=study, series=f"{study}.7", Modality="KO")
    with database.reading() as tx:
        bad = stage.archive.path(tx.studies.instances(study_uid=study)[0].file)
    arrive(2, 61.0, kind=InstanceKind.NOTE, series="1.2.3.7", Modality="KO")
    monkeypatch.setattr(reject, "read_rejection", read_but)
    assert stage.step(62.0)
    assert "rejected" in events(database)
    assert [stage.step(63.0), stage.step(122.0), stage.step(123.0)] == [False, True, False], "it is tried by the minute"
    with database.reading() as tx:
        told = [entry.text for entry in tx.journal.of_study(study) if entry.event == "waits"]
    reason = "the archive's disk failed: Input/output error"
    assert told == [f"note {study}.7.1 is read later: {reason}"], "it is told once"
    broken = False
    assert [stage.step(183.0), stage.step(184.0)] == [True, False]
    assert events(database, "1.2.7") == ["rejected"]


def test_a_note_that_cannot_be_read_for_an_unforeseen_reason_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch, arrive: Callable[..., None], stage: Reject, database: Database
) -> None:
    def read_but(path: Path, _: str) -> RejectionNote:
        if path == odd:
            raise NotImplementedError("unforeseen")
        return RejectionNote(Title.QUALITY, {STUDY: frozenset(IMAGES)})

    arrive(1, 60.0, kind=InstanceKind.NOTE, study="1.2.9", series="1.2.9.7", Modality="KO")
    arrive(1, 61.0, kind=InstanceKind.NOTE, series="1.2.3.7", Modality="KO")
    with database.reading() as tx:
        odd = stage.archive.path(tx.studies.instances(study_uid="1.2.9")[0].file)
    monkeypatch.setattr(reject, "read_rejection", read_but)
    with pytest.raises(NotImplementedError):
        stage.step(62.0)
    assert stage.step(63.0)
    assert events(database) == ["rejected"]
    assert (events(database, "1.2.9"), stage.step(64.0)) == (["stepped over"], False)
