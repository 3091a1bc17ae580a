"""A second content is judged: corrections rule and hold back the old words; anything else stays a conflict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from dicom_node.network.headers.header import read_header
from dicom_node.pipeline.correct import Correct
from dicom_node.pipeline.likeness import compare
from storage.archive import Archive
from storage.database import Database
from storage.deliveries import Setback
from storage.errors import Unavailable
from storage.files.part10 import META_AT
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobMark, JobState, StudyState
from storage.records import Arrival, Instance, InstanceKind, Job

JOB = "a" * 64


@pytest.fixture
def receive(database: Database, archive: Archive) -> Callable[[Path, float], Arrival]:
    """`receive(path, now)` keeps a file as the receiver does."""

    def keep(path: Path, now: float) -> Arrival:
        content = path.read_bytes()
        syntax = str(dcmread(path).file_meta.TransferSyntaxUID)
        header = read_header(content[META_AT + int.from_bytes(content[META_AT - 4 : META_AT], "little") :], syntax)
        study, uid = header.study_instance_uid, header.sop_instance_uid
        file = archive.write(study, uid, [content])
        instance = Instance(uid, header.sop_class_uid, header.series_instance_uid, study, syntax, InstanceKind.IMAGE,
                            file, now, "", header.facts)  # fmt: skip
        with database.transaction() as tx:
            return tx.studies.add_instance(instance, header.study)

    return keep


@pytest.fixture
def images(make_slices: Callable[..., list[Path]], receive: Callable[..., Arrival], database: Database) -> list[Path]:
    """Three images of a study that has been dispatched."""
    paths = make_slices(3)
    for path in paths:
        receive(path, 10.0)
    with database.transaction() as tx:
        for state in (StudyState.COMPLETE, StudyState.DISPATCHED):
            tx.studies.move(study_of(paths), state, 20.0)
    return paths


@pytest.fixture
def stage(database: Database, archive: Archive) -> Correct:
    return Correct(database, archive, revision=3)


def study_of(paths: list[Path]) -> str:
    return str(dcmread(paths[0]).StudyInstanceUID)


def edit(path: Path, **changes: Any) -> Path:
    data = dcmread(path)
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    data.save_as(path)
    return path


def make_job(database: Database, paths: list[Path], **changes: Any) -> None:
    data = [dcmread(path) for path in paths]
    inputs = {"CT": {"series": str(data[0].SeriesInstanceUID), "instances": [str(d.SOPInstanceUID) for d in data]}}
    values: dict[str, Any] = {"job_id": JOB, "state": JobState.PENDING} | changes
    with database.transaction() as tx:
        tx.jobs.add(
            Job(study_instance_uid=study_of(paths), generation=1, route="r", task="liver_tumour", model="m", priority=0,
                inputs=inputs, parameters={}, created_at=20.0, **values)
        )


def deliver(database: Database, study: str, *states: DeliveryState) -> None:
    with database.transaction() as tx:
        for number, state in enumerate(states):
            waits = DeliveryState.PENDING if state is DeliveryState.SENT else state
            delivery = tx.deliveries.add(JOB, study, f"pacs-{number}", waits, 30.0)
            if state is DeliveryState.SENT:
                tx.outbox.claim(Sender(f"pacs-{number}"), "me", 30.0, 60.0)
                tx.deliveries.sent(delivery, "me", 31.0, {})


def job(database: Database) -> Job:
    with database.reading() as tx:
        return tx.jobs.get(JOB)


def journal(database: Database, study: str) -> list[tuple[str, str]]:
    with database.reading() as tx:
        return [(entry.event, entry.text) for entry in tx.journal.of_study(study)]


def test_without_second_contents_there_is_nothing_to_do(stage: Correct, images: list[Path]) -> None:
    assert not stage.step(50.0)


def test_a_correction_rules_and_the_study_settles_anew(
    stage: Correct, images: list[Path], receive: Callable[..., Arrival], database: Database, archive: Archive
) -> None:
    study = study_of(images)
    before = dcmread(images[0]).PatientName
    assert receive(edit(images[0], PatientName="Right^Person"), 40.0) is Arrival.CONFLICT
    assert stage.step(41.0)
    assert not stage.step(42.0)
    with database.reading() as tx:
        found = tx.studies.get(study)
        contents = tx.studies.instances(study_uid=study, conflicts=True)
    assert (found.header["PatientName"], found.state, found.changed_at) == ("Right^Person", StudyState.RECEIVING, 40.0)
    (old,) = [i for i in contents if i.conflict]
    assert old.replaced
    assert dcmread(archive.path(old.file)).PatientName == before, "both files are kept"
    ((event, text),) = journal(database, study)
    assert event == "corrected"
    assert "PatientName" in text
    assert "Right" not in text


def test_other_pixels_are_a_conflict_and_open_nothing(
    stage: Correct, images: list[Path], receive: Callable[..., Arrival], database: Database
) -> None:
    study = study_of(images)
    receive(edit(images[0], PixelData=bytes(len(dcmread(images[0]).PixelData)), PatientName="Other"), 40.0)
    stage.step(41.0)
    assert not stage.step(42.0), "it is judged once"
    with database.reading() as tx:
        assert tx.studies.get(study).state is StudyState.DISPATCHED
        assert tx.versions.counts(study) == (0, 1)
    ((event, text),) = journal(database, study)
    assert event == "conflict"
    assert "they differ in the pixels" in text


def test_another_series_is_a_conflict(
    stage: Correct, images: list[Path], receive: Callable[..., Arrival], database: Database
) -> None:
    receive(edit(images[0], SeriesInstanceUID="1.2.999"), 40.0)
    stage.step(41.0)
    ((_, text),) = journal(database, study_of(images))
    assert "another study, series or class" in text


def test_what_changes_nothing_that_is_known_opens_nothing(
    stage: Correct, images: list[Path], receive: Callable[..., Arrival], database: Database
) -> None:
    make_job(database, images)
    receive(edit(images[0], KVP=110), 40.0)
    stage.step(41.0)
    with database.reading() as tx:
        assert tx.studies.get(study_of(images)).state is StudyState.DISPATCHED
        assert tx.versions.counts(study_of(images)) == (1, 0)
    assert job(database).state is JobState.PENDING


def test_what_routing_knows_opens_the_study_but_leaves_its_jobs(
    stage: Correct, images: list[Path], receive: Callable[..., Arrival], database: Database
) -> None:
    make_job(database, images)
    receive(edit(images[0], SeriesDescription="better"), 40.0)
    stage.step(41.0)
    with database.reading() as tx:
        assert tx.studies.get(study_of(images)).state is StudyState.RECEIVING
        (series,) = tx.studies.series(study_of(images))
    assert series.header["SeriesDescription"] == "better"
    assert job(database).state is JobState.PENDING


def test_many_corrections_are_one_step(
    stage: Correct, images: list[Path], receive: Callable[..., Arrival], database: Database
) -> None:
    for number, path in enumerate(images):
        receive(edit(path, PatientID="NEW"), 40.0 + number)
    stage.step(50.0)
    assert not stage.step(51.0)
    with database.reading() as tx:
        assert tx.studies.get(study_of(images)).changed_at == 42.0, "the quiet time begins with the last"


def test_corrections_of_one_image_are_judged_in_turn_and_the_newest_rules(
    stage: Correct, images: list[Path], receive: Callable[..., Arrival], database: Database
) -> None:
    for number, name in enumerate(("Second", "Third")):
        receive(edit(images[0], PatientName=name), 40.0 + number)
    assert stage.step(50.0)
    assert stage.step(51.0)
    with database.reading() as tx:
        assert tx.studies.get(study_of(images)).header["PatientName"] == "Third"
        assert tx.versions.counts(study_of(images)) == (2, 0)


@pytest.mark.parametrize("when", ["before it is looked at", "while it is judged"])
def test_what_retention_removed_meanwhile_stops_nothing(
    stage: Correct, images: list[Path], receive: Callable[..., Arrival], database: Database, when: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def remove() -> None:
        with database.transaction() as tx:
            tx.removals.remove(study, 45.0)

    study, judge = study_of(images), stage._judge
    receive(edit(images[0], StudyInstanceUID="1.2.999", SeriesInstanceUID="1.2.998"), 40.0)
    if when.startswith("before"):
        remove()
    else:
        monkeypatch.setattr(Correct, "_judge", lambda _, old, new: (remove(), judge(old, new))[1])
    assert stage.step(50.0)
    monkeypatch.undo()
    stage.step(51.0)
    assert not stage.step(52.0), "it is judged once"
    ((event, text),) = journal(database, "1.2.999")
    assert event == "conflict"
    assert "was removed by retention" in text


class TestJobs:
    """What bears the old words does not leave."""

    @pytest.fixture
    def correct(
        self, stage: Correct, images: list[Path], receive: Callable[..., Arrival]
    ) -> Callable[[], None]:
        def run() -> None:
            for path in images:
                receive(edit(path, PatientID="NEW"), 40.0)
            stage.step(50.0)

        return run

    def test_a_waiting_job_ends(self, correct: Callable[[], None], images: list[Path], database: Database) -> None:
        make_job(database, images)
        correct()
        assert (job(database).state, job(database).mark) == (JobState.SUPERSEDED, JobMark.NONE)
        assert [event for event, _ in journal(database, study_of(images))].count("superseded") == 1

    def test_a_job_of_other_images_goes_on(
        self, stage: Correct, images: list[Path], receive: Callable[..., Arrival], database: Database
    ) -> None:
        make_job(database, images[1:])
        receive(edit(images[0], PatientID="NEW"), 40.0)
        stage.step(50.0)
        assert job(database).state is JobState.PENDING

    def test_delivered_results_are_stale_once(
        self, correct: Callable[[], None], images: list[Path], database: Database
    ) -> None:
        make_job(database, images, state=JobState.DONE)
        deliver(database, study_of(images), DeliveryState.SENT, DeliveryState.SENT)
        correct()
        assert (job(database).state, job(database).mark) == (JobState.DONE, JobMark.STALE)
        assert f"segnode reissue {study_of(images)}" in job(database).reason
        assert [event for event, _ in journal(database, study_of(images))].count("stale") == 1

    @pytest.mark.parametrize("state", [DeliveryState.PENDING, DeliveryState.HELD])
    def test_what_has_not_left_never_leaves_and_is_made_anew_by_itself(
        self, correct: Callable[[], None], images: list[Path], database: Database, state: DeliveryState
    ) -> None:
        make_job(database, images, state=JobState.DONE)
        deliver(database, study_of(images), DeliveryState.SENT, state)
        correct()
        assert (job(database).state, job(database).mark) == (JobState.SUPERSEDED, JobMark.NONE)
        with database.reading() as tx:
            states = [delivery.state for delivery in tx.deliveries.of_job(JOB)]
        assert states == [DeliveryState.SENT, DeliveryState.SUPERSEDED]

    def test_what_is_just_leaving_is_not_tried_again(
        self, correct: Callable[[], None], images: list[Path], database: Database
    ) -> None:
        make_job(database, images, state=JobState.DONE)
        with database.transaction() as tx:
            delivery = tx.deliveries.add(JOB, study_of(images), "pacs", DeliveryState.PENDING, 30.0)
            tx.outbox.claim(Sender("pacs"), "me", 45.0, 60.0)
        correct()
        with database.transaction() as tx:
            tx.deliveries.postpone(delivery, "me", 70.0, Setback("unreachable"))
            assert tx.deliveries.get(delivery).state is DeliveryState.SUPERSEDED


def test_an_image_whose_file_cannot_be_read_now_keeps_no_other_waiting(
    stage: Correct, images: list[Path], receive: Callable[..., Arrival], database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    bad = str(dcmread(images[0]).SOPInstanceUID)

    def compare_but(first: Path, *said: Any) -> Any:
        if str(dcmread(first).SOPInstanceUID) == bad:
            raise Unavailable("the archive's disk failed: Input/output error")
        return compare(first, *said)

    monkeypatch.setattr("dicom_node.pipeline.correct.compare", compare_but)
    for path in images[:2]:
        receive(edit(path, PatientName="Right^Person"), 40.0)
    assert [stage.step(41.0), stage.step(42.0)] == [True, False]
    assert sorted(event for event, _ in journal(database, study_of(images))) == ["corrected", "waits"]
    monkeypatch.undo()
    assert stage.step(101.0)
    assert sorted(event for event, _ in journal(database, study_of(images))) == ["corrected", "corrected", "waits"]


def test_an_image_that_cannot_be_judged_keeps_no_other_waiting(
    make_slices: Callable[..., list[Path]], receive: Callable[..., Arrival], stage: Correct, database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (odd,), (plain,) = make_slices(1), make_slices(1)
    for now, path in enumerate((odd, plain)):
        receive(path, 10.0 + now)
        receive(edit(path, PatientName="Right^Person"), 12.0 + now)
    odd_study = study_of([odd])

    def compare_but(first: Path, *others: Any) -> Any:
        if study_of([first]) == odd_study:
            raise NotImplementedError("unforeseen")
        return compare(first, *others)

    monkeypatch.setattr("dicom_node.pipeline.correct.compare", compare_but)
    with pytest.raises(NotImplementedError):
        stage.step(20.0)
    assert stage.step(22.0)
    assert not stage.step(24.0)
    monkeypatch.undo()
    assert stage.step(80.0), "it is tried again"
    with database.reading() as tx:
        events = [[entry.event for entry in tx.journal.of_study(study_of([path]))] for path in (odd, plain)]
    assert events == [["stepped over", "corrected"], ["corrected"]]
