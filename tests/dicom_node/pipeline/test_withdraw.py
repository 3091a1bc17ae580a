"""Who follows IOCM and holds superseded results gets one rejection note, delivered like any result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dicom_node.errors import ResultInvalid
from dicom_node.objects.context import Replaced
from dicom_node.objects.encode import Encoded
from dicom_node.pipeline.withdraw import EVERY_S, Withdraw, note_job_id
from storage.archive import Archive
from storage.database import Database
from storage.errors import Unavailable
from storage.files.folder_archive import FolderArchive
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobState
from storage.records import Instance, InstanceKind, Job, ResultObject, StoredFile

STUDY, JOB = "1.2.3", "a" * 64
FAILED = "the archive's disk failed: Input/output error"
NOTE = note_job_id(JOB, ["2.25.5"])


@dataclass
class Encoder:
    """Makes notes, or cannot."""

    fault: Exception | None = None
    asked: list[tuple[tuple[str, ...], str, float]] = field(default_factory=list)

    def __call__(self, job_id: str, rejected: Sequence[Replaced], subject: Path, reason: str, now: float) -> Encoded:
        assert subject.exists()
        self.asked.append((tuple(one.sop_instance_uid for one in rejected), reason, now))
        if self.fault:
            raise self.fault
        key_objects = "1.2.840.10008.5.1.4.1.1.88.59"
        uid = f"2.25.{int(job_id[:8], 16)}"
        return Encoded("rejection", key_objects, uid, "2.25.78", b"a note of " + job_id.encode())


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture
def stage(database: Database, archive: Archive, encoder: Encoder) -> Withdraw:
    return Withdraw(database, archive, frozenset({"pacs", "ward"}), encoder)


@pytest.fixture
def superseded(database: Database, archive: Archive, queue: Callable[..., Job]) -> None:
    """A superseded job whose results pacs holds."""
    queue(state=JobState.DONE)
    with database.transaction() as tx:
        file = archive.write(STUDY, "2.25.5", [b"a segmentation"])
        tx.results.add(ResultObject("2.25.5", "1.2", "2.25.6", JOB, "seg", file))
        tx.jobs.supersede(JOB, 40.0, "late images changed its inputs")
    send(database, "pacs")


def send(
    database: Database, destination: str, job: str = JOB, study: str = STUDY, variant: str = "", by: str = ""
) -> None:
    with database.transaction() as tx:
        delivery = tx.deliveries.add(job, study, destination, DeliveryState.PENDING, 30.0, variant=variant)
        tx.outbox.claim(Sender(by or destination, stands_in={destination: {}} if by else {}), "me", 30.0, 10.0)
        tx.deliveries.sent(delivery, "me", 31.0, {})


def told(database: Database, note: str = NOTE) -> list[tuple[str, DeliveryState]]:
    with database.reading() as tx:
        return [(delivery.destination, delivery.state) for delivery in tx.deliveries.of_job(note)]


@pytest.mark.usefixtures("superseded")
def test_a_note_is_made_once_and_delivered_like_any_result(
    stage: Withdraw, database: Database, archive: Archive, encoder: Encoder
) -> None:
    assert stage.step(50.0)
    assert encoder.asked == [(("2.25.5",), "No longer valid: late images changed its inputs", 50.0)]
    with database.reading() as tx:
        job = tx.jobs.get(NOTE)
        (note,) = tx.results.of_job(NOTE)
    assert (job.state, job.rejects, job.study_instance_uid) == (JobState.DONE, JOB, STUDY)
    assert archive.path(note.file).read_bytes().startswith(b"a note")
    assert told(database) == [("pacs", DeliveryState.PENDING)]
    assert not stage.step(51.0)
    assert len(encoder.asked) == 1


@pytest.mark.usefixtures("superseded")
def test_who_got_the_results_later_gets_the_same_note(stage: Withdraw, database: Database, encoder: Encoder) -> None:
    stage.step(50.0)
    send(database, "ward")
    assert stage.step(60.0)
    assert [name for name, _ in told(database)] == ["pacs", "ward"]
    assert len(encoder.asked) == 1


@pytest.mark.usefixtures("superseded")
def test_a_note_names_what_its_destination_got_and_nothing_else(
    stage: Withdraw, database: Database, archive: Archive, encoder: Encoder
) -> None:
    """dcm4chee refuses a note whole that names an instance which it does not hold (0xA772)."""
    with database.transaction() as tx:
        file = archive.write(STUDY, "2.25.7", [b"a segmentation in another form"])
        tx.results.add(ResultObject("2.25.7", "1.2", "2.25.8", JOB, "seg", file, variant="beef"))
    send(database, "ward", variant="beef")
    assert stage.step(50.0)
    assert [named for named, _, _ in encoder.asked] == [("2.25.5",), ("2.25.7",)]
    assert told(database) == [("pacs", DeliveryState.PENDING)]
    assert told(database, note_job_id(JOB, ["2.25.7"])) == [("ward", DeliveryState.PENDING)]
    assert not stage.step(51.0)


@pytest.mark.usefixtures("superseded")
def test_a_note_goes_to_the_alternative_that_took_the_results(stage: Withdraw, database: Database) -> None:
    for meant_for in ("archive", "workplace"):
        send(database, meant_for, by="ward")
    assert stage.step(50.0)
    assert told(database) == [("pacs", DeliveryState.PENDING), ("ward", DeliveryState.PENDING)]
    with database.reading() as tx:
        assert [one.event for one in tx.journal.of_study(STUDY)].count("rejection note") == 2
    assert not stage.step(60.0)


@pytest.mark.usefixtures("superseded")
def test_who_was_sent_nothing_is_told_nothing(stage: Withdraw, database: Database) -> None:
    send(database, "ward", variant="beef")  # a form in which the job made no object
    assert stage.step(50.0)
    assert not stage.step(51.0)
    with database.reading() as tx:
        assert {one.destination for one in tx.deliveries.of_study(STUDY) if one.job_id != JOB} == {"pacs"}
        assert "rejection note failed" not in [entry.event for entry in tx.journal.of_study(STUDY)]


@pytest.mark.usefixtures("superseded")
def test_without_iocm_nothing_is_sent(database: Database, archive: Archive, encoder: Encoder) -> None:
    for names in (frozenset[str](), frozenset({"ward"})):
        assert not Withdraw(database, archive, names, encoder).step(50.0)
    assert told(database) == []


@pytest.mark.usefixtures("superseded")
def test_a_note_that_cannot_be_made_is_written_down_and_not_tried_again(
    stage: Withdraw, database: Database, encoder: Encoder
) -> None:
    encoder.fault = ResultInvalid("the note is wrong in its title")
    assert stage.step(50.0)
    assert not stage.step(60.0)
    with database.reading() as tx:
        assert tx.jobs.get(NOTE).reason == "the note is wrong in its title"
        assert "rejection note failed" in [entry.event for entry in tx.journal.of_study(STUDY)]
    assert len(encoder.asked) == 1


@pytest.mark.usefixtures("superseded")
def test_where_retention_has_taken_the_results_another_object_of_the_study_is_the_subject(
    stage: Withdraw, database: Database, archive: Archive, encoder: Encoder
) -> None:
    with database.transaction() as tx:
        files = tx.removals.remove(STUDY, 45.0)
    for file in files:
        archive.remove(file)
    with database.reading() as tx:
        job = tx.jobs.get(JOB)
        assert stage._subject(tx, job, tx.results.of_job(JOB)) is None, "no note can be made"
    file = archive.write(STUDY, "1.2.3.7", [b"a note of others"])
    with database.transaction() as tx:
        tx.studies.add_instance(
            Instance("1.2.3.7", "1.2", "1.2.3.8", STUDY, "1.2", InstanceKind.NOTE, file, 46.0, "", {})
        )
    with database.reading() as tx:
        assert stage._subject(tx, job, tx.results.of_job(JOB)) == file


@pytest.mark.usefixtures("superseded")
def test_a_damaged_image_is_no_subject(stage: Withdraw, database: Database, archive: FolderArchive) -> None:
    with database.reading() as tx:
        first, second = (tx.versions.current(f"1.2.3.1.{number}").file for number in (1, 2))
        archive.path(first).write_bytes(b"something else")
        assert stage._subject(tx, tx.jobs.get(JOB), ()) == second


@pytest.mark.usefixtures("superseded")
def test_a_disk_that_fails_is_asked_again(stage: Withdraw, database: Database, encoder: Encoder) -> None:
    encoder.fault = OSError(5, "Input/output error")
    assert [stage.step(50.0), stage.step(60.0)] == [True, False]
    encoder.fault = None
    assert stage.step(110.0)
    assert told(database) == [("pacs", DeliveryState.PENDING)]
    with database.reading() as tx:
        first, _ = tx.journal.of_study(STUDY)
    assert (first.event, first.text) == ("waits", f"a rejection note is made later: {FAILED}")


@pytest.fixture
def one_before(superseded: None, database: Database, archive: Archive, arrive: Callable[..., None]) -> None:
    """Another superseded job of another study, 1.2.9, whose turn is first."""
    other = "0" * 64
    arrive(1, 10.0, study="1.2.9", series="1.2.9.1")
    with database.transaction() as tx:
        tx.jobs.add(replace(tx.jobs.get(JOB), job_id=other, study_instance_uid="1.2.9"))
        file = archive.write("1.2.9", "2.25.15", [b"a segmentation"])
        tx.results.add(ResultObject("2.25.15", "1.2", "2.25.16", other, "seg", file))
    send(database, "pacs", other, "1.2.9")


@pytest.mark.usefixtures("one_before")
def test_a_file_that_cannot_be_read_now_keeps_no_other_note_waiting(
    stage: Withdraw, database: Database, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = archive.local

    def fails(files: Sequence[StoredFile], **said: bool) -> AbstractContextManager[list[Path]]:
        monkeypatch.setattr(archive, "local", local)
        raise Unavailable(FAILED)

    monkeypatch.setattr(archive, "local", fails)
    assert stage.step(50.0)
    assert told(database) == [("pacs", DeliveryState.PENDING)]
    with database.reading() as tx:
        assert [entry.event for entry in tx.journal.of_study("1.2.9")] == ["waits"]


@pytest.mark.usefixtures("one_before")
def test_an_unforeseen_fault_at_one_note_keeps_no_other_waiting(
    stage: Withdraw, database: Database, encoder: Encoder
) -> None:
    encoder.fault = NotImplementedError("unforeseen")
    with pytest.raises(NotImplementedError):
        stage.step(50.0)
    encoder.fault = None
    assert stage.step(51.0)
    assert told(database) == [("pacs", DeliveryState.PENDING)]
    assert not stage.step(52.0)
    assert stage.step(200.0), "and it is tried again"
    with database.reading() as tx:
        assert [entry.event for entry in tx.journal.of_study("1.2.9")] == ["stepped over", "rejection note"]


def test_it_looks_again_after_a_pause(stage: Withdraw, database: Database, request: pytest.FixtureRequest) -> None:
    assert not stage.step(50.0)
    request.getfixturevalue("superseded")
    assert not stage.step(50.0 + EVERY_S / 2)
    assert stage.step(50.0 + EVERY_S)
