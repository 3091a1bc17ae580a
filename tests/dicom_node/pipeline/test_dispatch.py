"""Routes become jobs; late images open a new generation only where they change a job's inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dicom_node.pipeline.dispatch import Dispatch, InstalledModel
from dicom_node.reissue import reissue
from dicom_node.retry import Retried, retry
from dicom_node.routing.route import Routing
from inference.findings import IntendedUse, ModelIdentity
from storage.database import Database
from storage.errors import IllegalStep
from storage.lifecycle import DeliveryState, FetchState, JobMark, JobState, StudyState
from storage.outbox import Sender
from storage.records import FetchPurpose, InstanceKind, Job, ResultObject, StoredFile, Wanted
from storage.rejections import Rejection

STUDY = "1.2.3"
ROUTING = Routing.model_validate(
    {
        "routes": [
            {
                "name": "liver",
                "when": {"kind": "modality", "any_of": ["CT"]},
                "select": {"kind": "one_series", "role": "CT"},
                "task": "liver_tumour",
                "model": "liver",
                "destinations": ["pacs"],
            }
        ]
    }
)


def image(number: int, series: str = "1.2.3.1", **changes: object) -> dict[str, object]:
    return {
        "Modality": "CT",
        "SeriesInstanceUID": series,
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImagePositionPatient": [-150.0, -150.0, 3.0 * number],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.8, 0.8],
        "SliceThickness": 3.0,
        "Rows": 512,
        "Columns": 512,
        "InstanceNumber": number,
        "FrameOfReferenceUID": "1.2.9",
        "ConvolutionKernel": "B30f",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
    } | changes


@pytest.fixture
def stage(database: Database) -> Dispatch:
    identity = ModelIdentity("liver", "1", "ab", "us", IntendedUse.DEMONSTRATION)
    model = InstalledModel("liver", "liver_tumour", {"kind": "threshold"}, identity)
    return Dispatch(database, ROUTING, {"liver": model}, revision=4)


@pytest.fixture
def scan(arrive: Callable[..., None], database: Database) -> Callable[..., None]:
    """`scan(first, last)` lets CT slices arrive and the study settle."""

    def run(first: int, last: int, now: float = 10.0, **header: object) -> None:
        for number in range(first, last + 1):
            arrive(number, now, **image(number, **header))
        settle(database, now)

    return run


def settle(database: Database, now: float) -> None:
    with database.transaction() as tx:
        if tx.studies.get(STUDY).state is StudyState.RECEIVING:
            tx.studies.move(STUDY, StudyState.COMPLETE, now)


def jobs(database: Database) -> list[Job]:
    with database.reading() as tx:
        return tx.jobs.of_study(STUDY)


def state(database: Database) -> StudyState:
    with database.reading() as tx:
        return tx.studies.get(STUDY).state


def test_a_fit_series_becomes_a_job(stage: Dispatch, database: Database, scan: Callable[..., None]) -> None:
    scan(1, 80)
    assert stage.step(20.0)
    (job,) = jobs(database)
    assert (job.task, job.route, job.state) == ("liver_tumour", "liver", JobState.PENDING)
    assert len(job.inputs["CT"]["instances"]) == 80
    assert job.parameters["destinations"] == ["pacs"]
    assert state(database) is StudyState.DISPATCHED
    assert not stage.step(21.0)


def test_every_verdict_is_kept_with_its_reason_and_revision(
    stage: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 80)
    stage.step(20.0)
    with database.reading() as tx:
        verdicts = [entry for entry in tx.journal.of_study(STUDY) if entry.event == "verdict"]
    assert {entry.series_instance_uid for entry in verdicts} == {"", "1.2.3.1"}
    assert all(entry.text and entry.revision == 4 for entry in verdicts)


def test_what_no_route_wants_is_kept_and_said(stage: Dispatch, database: Database, scan: Callable[..., None]) -> None:
    scan(1, 40, Modality="US")
    stage.step(20.0)
    assert state(database) is StudyState.NOT_ROUTED
    assert jobs(database) == []
    with database.reading() as tx:
        assert "not routed" in [entry.event for entry in tx.journal.of_study(STUDY)]


def test_a_late_slice_opens_the_next_generation(
    stage: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 80)
    stage.step(20.0)
    (first,) = jobs(database)
    with database.transaction() as tx:
        held = tx.deliveries.add(first.job_id, STUDY, "pacs", DeliveryState.HELD, 21.0)
    scan(81, 81, now=30.0)
    stage.step(40.0)
    old, new = sorted(jobs(database), key=lambda job: job.generation)
    assert (old.state, new.state) == (JobState.SUPERSEDED, JobState.PENDING)
    assert "generation 2" in old.reason
    assert (new.generation, len(new.inputs["CT"]["instances"])) == (2, 81)
    with database.reading() as tx:
        assert tx.deliveries.get(held).state is DeliveryState.SUPERSEDED
        assert tx.studies.get(STUDY).generation == 2


def test_a_late_image_that_changes_no_input_changes_nothing(
    stage: Dispatch, database: Database, scan: Callable[..., None], arrive: Callable[..., None]
) -> None:
    scan(1, 80)
    stage.step(20.0)
    arrive(1, 30.0, series="1.2.3.2", **image(1, series="1.2.3.2", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    settle(database, 31.0)
    stage.step(40.0)
    (job,) = jobs(database)
    assert (job.state, job.generation) == (JobState.PENDING, 1)
    assert state(database) is StudyState.DISPATCHED


@pytest.mark.parametrize("kind", [InstanceKind.OTHER, InstanceKind.RESULT])
def test_what_a_pacs_sends_back_re_opens_nothing(
    stage: Dispatch, database: Database, scan: Callable[..., None], arrive: Callable[..., None], kind: InstanceKind
) -> None:
    scan(1, 80)
    stage.step(20.0)
    arrive(1, 30.0, kind=kind, series="1.2.3.9", Modality="SEG")
    assert state(database) is StudyState.DISPATCHED
    assert not stage.step(40.0)


def correct(database: Database, number: int, name: str = "ab") -> None:
    """Give an image a corrected header that results copy."""
    with database.transaction() as tx:
        old = tx.versions.current(f"1.2.3.1.{number}")
        new = replace(old, file=replace(old.file, sha256=name))
        tx.studies.add_instance(new)
        tx.versions.correct(old, new, {}, copied=True)
        tx.studies.reopen(STUDY, 30.0)
    settle(database, 30.0)


def mark(database: Database, mark: JobMark) -> None:
    (job,) = jobs(database)
    with database.transaction() as tx:
        tx.jobs.mark(job.job_id, mark)


def test_a_corrected_header_makes_another_job_of_the_same_inputs(
    stage: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 80)
    stage.step(20.0)
    correct(database, 7)
    stage.step(40.0)
    old, new = sorted(jobs(database), key=lambda job: job.generation)
    assert (old.state, new.state, new.generation) == (JobState.SUPERSEDED, JobState.PENDING, 2)
    assert "a correction changed the header" in old.reason
    assert (new.inputs, new.parameters["replaces"]) == (old.inputs, old.job_id)


@pytest.mark.parametrize("said", [JobMark.STALE, JobMark.WITHDRAWN])
def test_delivered_results_are_not_made_anew_without_a_person(
    stage: Dispatch, database: Database, scan: Callable[..., None], said: JobMark
) -> None:
    scan(1, 80)
    stage.step(20.0)
    mark(database, said)
    correct(database, 7)
    stage.step(40.0)
    (job,) = jobs(database)
    assert (job.mark, job.generation) == (said, 1)
    assert state(database) is StudyState.DISPATCHED
    mark(database, JobMark.NONE)
    with database.transaction() as tx:
        tx.studies.move(STUDY, StudyState.COMPLETE, 50.0)
    stage.step(60.0)
    assert [job.state for job in sorted(jobs(database), key=lambda job: job.generation)] == [
        JobState.SUPERSEDED,
        JobState.PENDING,
    ]


def test_stale_results_give_way_to_late_images(
    stage: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 80)
    stage.step(20.0)
    mark(database, JobMark.STALE)
    scan(81, 81, now=30.0)
    stage.step(40.0)
    assert [job.mark for job in jobs(database)] == [JobMark.NONE, JobMark.NONE]


def reject(database: Database, number: int) -> None:
    with database.transaction() as tx:
        tx.rejections.add([Rejection(f"1.2.3.1.{number}", "2.25.9", STUDY, "113001", 30.0)])
        tx.studies.reopen(STUDY, 30.0)
    settle(database, 30.0)


def test_rejected_images_are_no_input(stage: Dispatch, database: Database, scan: Callable[..., None]) -> None:
    scan(1, 80)
    reject(database, 80)
    stage.step(40.0)
    (job,) = jobs(database)
    assert len(job.inputs["CT"]["instances"]) == 79


def test_a_late_image_that_is_rejected_gives_the_first_inputs_a_new_job(
    stage: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 80)
    stage.step(20.0)
    scan(81, 81, now=30.0)
    stage.step(40.0)
    reject(database, 81)
    stage.step(60.0)
    first, second, third = sorted(jobs(database), key=lambda job: job.generation)
    assert [job.state for job in (first, second, third)] == [JobState.SUPERSEDED, JobState.SUPERSEDED, JobState.PENDING]
    assert first.inputs == third.inputs
    assert third.parameters["replaces"] == second.job_id
    with database.transaction() as tx:
        tx.studies.move(STUDY, StudyState.COMPLETE, 70.0)
    stage.step(80.0)
    assert len(jobs(database)) == 3, "the same decision again makes no more of it"


def test_a_study_whose_images_were_all_rejected_stays_dispatched(
    stage: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 3, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    scan(4, 80)
    stage.step(20.0)
    (job,) = jobs(database)
    with database.transaction() as tx:
        tx.jobs.supersede(job.job_id, 25.0, "rejected")
    for number in range(1, 81):
        reject(database, number)
    stage.step(40.0)
    assert state(database) is StudyState.DISPATCHED
    assert [len(job.inputs['CT']['instances']) for job in jobs(database)] == [80]


def test_the_route_names_a_priority(stage: Dispatch, database: Database, scan: Callable[..., None]) -> None:
    scan(1, 80)
    stage.step(20.0)
    assert jobs(database)[0].priority == ROUTING.routes[0].priority.default


class TestAStudyThatWasRemovedAndIsSentAgain:
    """Nothing reaches the PACS twice: the same images are the same job, fewer of them are no new result."""

    @pytest.fixture
    def removed(self, stage: Dispatch, database: Database, scan: Callable[..., None]) -> str:
        """The study was processed and delivered, and retention has removed it; the id of its job."""
        scan(1, 80)
        stage.step(20.0)
        (job,) = jobs(database)
        with database.transaction() as tx:
            tx.jobs.claim("infer", 30.0, 60.0)
            tx.jobs.finish(job.job_id, "infer", JobState.DONE, 40.0)
            tx.results.add(ResultObject("2.25.7", "1.2", "2.25.8", job.job_id, "seg", StoredFile("a", 1, "b")))
            number = tx.deliveries.add(job.job_id, STUDY, "pacs", DeliveryState.PENDING, 40.0)
            tx.outbox.claim(Sender("pacs"), "deliver", 41.0, 60.0)
            tx.deliveries.sent(number, "deliver", 42.0, {})
            tx.removals.remove(STUDY, 1000.0)
        return job.job_id

    def told(self, database: Database) -> list[str]:
        with database.reading() as tx:
            return [entry.text for entry in tx.journal.of_study(STUDY) if entry.event == "known"]

    def test_the_same_images_make_nothing_and_the_way_to_have_it_again_is_told(
        self, removed: str, stage: Dispatch, database: Database, scan: Callable[..., None]
    ) -> None:
        scan(1, 80, now=2000.0)
        assert stage.step(2010.0)
        (job,) = jobs(database)
        assert (job.job_id, job.state, job.created_at) == (removed, JobState.DONE, 20.0)
        assert state(database) is StudyState.DISPATCHED
        with database.reading() as tx:
            assert [d.state for d in tx.deliveries.of_study(STUDY)] == [DeliveryState.SENT]
        (text,) = self.told(database)
        assert f"`segnode retry {STUDY} --resend` makes it again under the same UIDs" in text

    def test_a_part_of_them_does_not_replace_the_result_of_all(
        self, removed: str, stage: Dispatch, database: Database, scan: Callable[..., None]
    ) -> None:
        scan(11, 70, now=2000.0)
        stage.step(2010.0)
        assert [job.job_id for job in jobs(database)] == [removed]
        assert "these images and more" in self.told(database)[0]

    @pytest.mark.parametrize("first", [1, 11])
    def test_a_correction_that_follows_waits_for_a_person_who_has_it_made_anew(
        self, removed: str, stage: Dispatch, database: Database, scan: Callable[..., None], first: int
    ) -> None:
        scan(first, 80, now=2000.0)
        stage.step(2010.0)
        mark(database, JobMark.STALE)
        correct(database, 20)
        stage.step(2030.0)
        assert [job.job_id for job in jobs(database)] == [removed]
        assert len(self.told(database)) == 1, "what is stale is not to be made again under its UIDs"
        with database.transaction() as tx:
            assert retry(tx, 2040.0, STUDY, resend=True) == Retried(0, 0)
            assert reissue(tx, 2050.0, STUDY) == 1
        stage.step(2060.0)
        old, new = sorted(jobs(database), key=lambda job: job.generation)
        assert (old.state, new.state, new.generation) == (JobState.SUPERSEDED, JobState.PENDING, 2)

    def test_more_of_them_are_a_new_generation_as_ever(
        self, removed: str, stage: Dispatch, database: Database, scan: Callable[..., None]
    ) -> None:
        scan(1, 90, now=2000.0)
        stage.step(2010.0)
        old, new = jobs(database)
        assert (old.state, new.state, new.generation) == (JobState.SUPERSEDED, JobState.PENDING, 2)

    def test_a_person_has_it_made_again_with_its_uids_and_dates(
        self, removed: str, stage: Dispatch, database: Database, scan: Callable[..., None]
    ) -> None:
        with database.transaction() as tx, pytest.raises(IllegalStep, match=r"80 of 80 images .* send it to the node"):
            retry(tx, 1500.0, STUDY, resend=True)
        scan(1, 80, now=2000.0)
        stage.step(2010.0)
        with database.transaction() as tx:
            assert retry(tx, 2020.0, STUDY, resend=True) == Retried(jobs=1, deliveries=0)
            (job,) = tx.jobs.of_study(STUDY)
            assert (job.job_id, job.state, job.created_at) == (removed, JobState.PENDING, 20.0)
            assert tx.deliveries.of_study(STUDY) == [], "they are made when the job ends, and are sent then"


def test_a_study_that_was_wanted_by_a_person_goes_behind_all_others(
    stage: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    with database.transaction() as tx:
        wish = Wanted(STUDY, "pacs", FetchPurpose.PROCESS, 60.0, 5.0, {"priority": 3})
        tx.fetches.want(wish, 5.0, over=())
    scan(1, 80)
    stage.step(20.0)
    assert jobs(database)[0].priority == 3


class TestIncomplete:
    """A study that lacks images at its source's deadline."""

    LACKING = "incomplete: 3 of 80 images missing"

    def settle(self, database: Database, policy: dict[str, object], incomplete: str = LACKING) -> None:
        with database.transaction() as tx:
            tx.fetches.want(Wanted(STUDY, "pacs", FetchPurpose.MISSING, 60.0, 5.0, policy), 5.0, over=tuple(FetchState))
            tx.studies.move(STUDY, StudyState.FETCHING, 15.0)
            tx.studies.move(STUDY, StudyState.COMPLETE, 15.0, incomplete=incomplete)

    @pytest.fixture
    def arrived(self, arrive: Callable[..., None]) -> None:
        for number in range(1, 78):
            arrive(number, 10.0, **image(number))

    @pytest.mark.usefixtures("arrived")
    def test_its_job_says_so_and_the_late_images_supersede_it(
        self, stage: Dispatch, database: Database, scan: Callable[..., None]
    ) -> None:
        self.settle(database, {"incomplete": "process"})
        stage.step(20.0)
        (job,) = jobs(database)
        assert job.parameters["incomplete"] == self.LACKING
        scan(78, 80, now=30.0)
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.RECEIVING, 31.0)
        self.settle(database, {"incomplete": "process"}, incomplete="")
        stage.step(40.0)
        old, new = sorted(jobs(database), key=lambda job: job.generation)
        assert (old.state, new.state, new.generation) == (JobState.SUPERSEDED, JobState.PENDING, 2)
        assert "incomplete" not in new.parameters

    @pytest.mark.usefixtures("arrived")
    def test_what_it_lacks_is_no_part_of_what_a_job_is(self, stage: Dispatch, database: Database) -> None:
        self.settle(database, {})
        stage.step(20.0)
        (first,) = jobs(database)
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.RECEIVING, 25.0)
        self.settle(database, {}, incomplete="")
        stage.step(30.0)
        assert [job.job_id for job in jobs(database)] == [first.job_id], "the same images, the same job"

    @pytest.mark.usefixtures("arrived")
    def test_a_source_may_have_it_refused(self, stage: Dispatch, database: Database) -> None:
        self.settle(database, {"incomplete": "refuse"})
        stage.step(20.0)
        assert (jobs(database), state(database)) == ([], StudyState.NOT_ROUTED)
