"""What comes after the first jobs opens a new generation only where it changes a job's inputs or their headers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from dispatching import ROUTING, STUDY, correct, image, jobs, mark, reject, settle, state

from dicom_node.acts.reissue import reissue
from dicom_node.acts.retry import Retried, retry
from dicom_node.pipeline.dispatch import Dispatch
from storage.database import Database
from storage.errors import IllegalStep
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobMark, JobState, StudyState
from storage.records import REVIEWS, InstanceKind, ResultObject, StoredFile


def test_a_late_slice_opens_the_next_generation(
    dispatch: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 80)
    dispatch.step(20.0)
    (first,) = jobs(database)
    with database.transaction() as tx:
        held = tx.deliveries.add(first.job_id, STUDY, "pacs", DeliveryState.HELD, 21.0)
    scan(81, 81, now=30.0)
    dispatch.step(40.0)
    old, new = sorted(jobs(database), key=lambda job: job.generation)
    assert (old.state, new.state) == (JobState.SUPERSEDED, JobState.PENDING)
    assert "generation 2" in old.reason
    assert (new.generation, len(new.inputs["CT"]["instances"])) == (2, 81)
    with database.reading() as tx:
        assert tx.deliveries.get(held).state is DeliveryState.SUPERSEDED
        assert tx.studies.get(STUDY).generation == 2


class TestAnotherRoute:
    """Late images come when routes.yaml has changed."""

    @pytest.fixture
    def changed(self, dispatch: Dispatch) -> Callable[..., Dispatch]:
        def make(*routes: dict[str, object]) -> Dispatch:
            (route,) = ROUTING.routes
            made = tuple(route.model_copy(update=changes) for changes in routes)
            return replace(dispatch, routing=ROUTING.model_copy(update={"routes": made}))

        return make

    def test_a_renamed_route_takes_the_place_of_what_it_made_under_its_old_name(
        self, dispatch: Dispatch, database: Database, scan: Callable[..., None], changed: Callable[..., Dispatch]
    ) -> None:
        scan(1, 80)
        dispatch.step(20.0)
        scan(81, 81, now=30.0)
        changed({"name": "abdomen"}).step(40.0)
        old, new = sorted(jobs(database), key=lambda job: job.generation)
        assert (old.route, old.state, new.route, new.state) == (
            "liver", JobState.SUPERSEDED, "abdomen", JobState.PENDING,
        )  # fmt: skip
        assert new.parameters["replaces"] == old.job_id

    def test_the_same_images_make_nothing_anew(
        self, dispatch: Dispatch, database: Database, scan: Callable[..., None], changed: Callable[..., Dispatch]
    ) -> None:
        scan(1, 80)
        dispatch.step(20.0)
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.COMPLETE, 30.0)
        changed({"name": "abdomen"}).step(40.0)
        assert [job.state for job in jobs(database)] == [JobState.PENDING]

    def test_a_route_that_went_keeps_what_it_made_of_another_series(
        self, dispatch: Dispatch, database: Database, scan: Callable[..., None], changed: Callable[..., Dispatch],
        arrive: Callable[..., None],
    ) -> None:  # fmt: skip
        scan(1, 80)
        dispatch.step(20.0)
        for number in range(1, 120):
            arrive(number, 30.0, series="1.2.3.2", **image(number, series="1.2.3.2"))
        settle(database, 31.0)
        changed({"name": "abdomen"}).step(40.0)
        assert [(job.route, job.state) for job in jobs(database)] == [
            ("liver", JobState.PENDING), ("abdomen", JobState.PENDING),
        ]  # fmt: skip

    def test_another_route_that_is_there_is_left_alone(
        self, dispatch: Dispatch, database: Database, scan: Callable[..., None], changed: Callable[..., Dispatch]
    ) -> None:
        scan(1, 80)
        dispatch.step(20.0)
        scan(81, 81, now=30.0)
        changed({"enabled": False}, {"name": "abdomen"}).step(40.0)
        assert [(job.route, job.state) for job in jobs(database)] == [
            ("liver", JobState.PENDING), ("abdomen", JobState.PENDING),
        ]  # fmt: skip

    def test_a_job_that_a_second_route_still_wants_stands_when_the_first_wants_another(
        self, database: Database, scan: Callable[..., None], changed: Callable[..., Dispatch]
    ) -> None:
        scan(1, 80)
        changed({}, {"name": "ward", "destinations": ("ward",)}).step(20.0)
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.COMPLETE, 30.0)
        changed({"outputs": ("seg",)}, {"name": "ward", "destinations": ("ward",)}).step(40.0)
        assert [(job.parameters["destinations"], job.state) for job in jobs(database)] == [
            (["pacs", "ward"], JobState.PENDING), (["pacs"], JobState.PENDING),
        ]  # fmt: skip


def test_a_late_image_that_changes_no_input_changes_nothing(
    dispatch: Dispatch, database: Database, scan: Callable[..., None], arrive: Callable[..., None]
) -> None:
    scan(1, 80)
    dispatch.step(20.0)
    arrive(1, 30.0, series="1.2.3.2", **image(1, series="1.2.3.2", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    settle(database, 31.0)
    dispatch.step(40.0)
    (job,) = jobs(database)
    assert (job.state, job.generation) == (JobState.PENDING, 1)
    assert state(database) is StudyState.DISPATCHED


@pytest.mark.parametrize("kind", [InstanceKind.OTHER, InstanceKind.RESULT, *REVIEWS])
def test_what_a_pacs_sends_back_re_opens_nothing(
    dispatch: Dispatch, database: Database, scan: Callable[..., None], arrive: Callable[..., None], kind: InstanceKind
) -> None:
    scan(1, 80)
    dispatch.step(20.0)
    arrive(1, 30.0, kind=kind, series="1.2.3.9", Modality="SEG")
    assert state(database) is StudyState.DISPATCHED
    assert not dispatch.step(40.0)


def test_a_corrected_header_makes_another_job_of_the_same_inputs(
    dispatch: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 80)
    dispatch.step(20.0)
    correct(database, 7)
    dispatch.step(40.0)
    old, new = sorted(jobs(database), key=lambda job: job.generation)
    assert (old.state, new.state, new.generation) == (JobState.SUPERSEDED, JobState.PENDING, 2)
    assert "a correction changed the header" in old.reason
    assert (new.inputs, new.parameters["replaces"]) == (old.inputs, old.job_id)


@pytest.mark.parametrize("said", [JobMark.STALE, JobMark.WITHDRAWN])
def test_delivered_results_are_not_made_anew_without_a_person(
    dispatch: Dispatch, database: Database, scan: Callable[..., None], said: JobMark
) -> None:
    scan(1, 80)
    dispatch.step(20.0)
    mark(database, said)
    correct(database, 7)
    dispatch.step(40.0)
    (job,) = jobs(database)
    assert (job.mark, job.generation) == (said, 1)
    assert state(database) is StudyState.DISPATCHED
    mark(database, JobMark.NONE)
    with database.transaction() as tx:
        tx.studies.move(STUDY, StudyState.COMPLETE, 50.0)
    dispatch.step(60.0)
    assert [job.state for job in sorted(jobs(database), key=lambda job: job.generation)] == [
        JobState.SUPERSEDED,
        JobState.PENDING,
    ]


def test_stale_results_give_way_to_late_images(
    dispatch: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 80)
    dispatch.step(20.0)
    mark(database, JobMark.STALE)
    scan(81, 81, now=30.0)
    dispatch.step(40.0)
    assert [job.mark for job in jobs(database)] == [JobMark.NONE, JobMark.NONE]


def test_a_late_image_that_is_rejected_gives_the_first_inputs_a_new_job(
    dispatch: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 80)
    dispatch.step(20.0)
    scan(81, 81, now=30.0)
    dispatch.step(40.0)
    reject(database, 81)
    dispatch.step(60.0)
    first, second, third = sorted(jobs(database), key=lambda job: job.generation)
    assert [job.state for job in (first, second, third)] == [JobState.SUPERSEDED, JobState.SUPERSEDED, JobState.PENDING]
    assert first.inputs == third.inputs
    assert third.parameters["replaces"] == second.job_id
    with database.transaction() as tx:
        tx.studies.move(STUDY, StudyState.COMPLETE, 70.0)
    dispatch.step(80.0)
    assert len(jobs(database)) == 3, "the same decision again makes no more of it"


def test_a_study_whose_images_were_all_rejected_stays_dispatched(
    dispatch: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 3, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    scan(4, 80)
    dispatch.step(20.0)
    (job,) = jobs(database)
    with database.transaction() as tx:
        tx.jobs.supersede(job.job_id, 25.0, "rejected")
    for number in range(1, 81):
        reject(database, number)
    dispatch.step(40.0)
    assert state(database) is StudyState.DISPATCHED
    assert [len(job.inputs['CT']['instances']) for job in jobs(database)] == [80]


class TestAStudyThatWasRemovedAndIsSentAgain:
    """Nothing reaches the PACS twice: the same images are the same job, fewer of them are no new result."""

    @pytest.fixture
    def removed(self, dispatch: Dispatch, database: Database, scan: Callable[..., None]) -> str:
        """The study was processed and delivered, and retention has removed it; the id of its job."""
        scan(1, 80)
        dispatch.step(20.0)
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
        self, removed: str, dispatch: Dispatch, database: Database, scan: Callable[..., None]
    ) -> None:
        scan(1, 80, now=2000.0)
        assert dispatch.step(2010.0)
        (job,) = jobs(database)
        assert (job.job_id, job.state, job.created_at) == (removed, JobState.DONE, 20.0)
        assert state(database) is StudyState.DISPATCHED
        with database.reading() as tx:
            assert [d.state for d in tx.deliveries.of_study(STUDY)] == [DeliveryState.SENT]
        (text,) = self.told(database)
        assert f"`segnode retry {STUDY} --resend` makes it again under the same UIDs" in text

    def test_a_part_of_them_does_not_replace_the_result_of_all(
        self, removed: str, dispatch: Dispatch, database: Database, scan: Callable[..., None]
    ) -> None:
        scan(11, 70, now=2000.0)
        dispatch.step(2010.0)
        assert [job.job_id for job in jobs(database)] == [removed]
        assert "these images and more" in self.told(database)[0]

    @pytest.mark.parametrize("first", [1, 11])
    def test_a_correction_that_follows_waits_for_a_person_who_has_it_made_anew(
        self, removed: str, dispatch: Dispatch, database: Database, scan: Callable[..., None], first: int
    ) -> None:
        scan(first, 80, now=2000.0)
        dispatch.step(2010.0)
        mark(database, JobMark.STALE)
        correct(database, 20)
        dispatch.step(2030.0)
        assert [job.job_id for job in jobs(database)] == [removed]
        assert len(self.told(database)) == 1, "what is stale is not to be made again under its UIDs"
        with database.transaction() as tx:
            assert retry(tx, 2040.0, STUDY, resend=True) == Retried(0, 0)
            assert reissue(tx, 2050.0, STUDY) == 1
        dispatch.step(2060.0)
        old, new = sorted(jobs(database), key=lambda job: job.generation)
        assert (old.state, new.state, new.generation) == (JobState.SUPERSEDED, JobState.PENDING, 2)

    def test_more_of_them_are_a_new_generation_as_ever(
        self, removed: str, dispatch: Dispatch, database: Database, scan: Callable[..., None]
    ) -> None:
        scan(1, 90, now=2000.0)
        dispatch.step(2010.0)
        old, new = jobs(database)
        assert (old.state, new.state, new.generation) == (JobState.SUPERSEDED, JobState.PENDING, 2)

    def test_a_person_has_it_made_again_with_its_uids_and_dates(
        self, removed: str, dispatch: Dispatch, database: Database, scan: Callable[..., None]
    ) -> None:
        with database.transaction() as tx, pytest.raises(IllegalStep, match=r"80 of 80 images .* send it to the node"):
            retry(tx, 1500.0, STUDY, resend=True)
        scan(1, 80, now=2000.0)
        dispatch.step(2010.0)
        with database.transaction() as tx:
            assert retry(tx, 2020.0, STUDY, resend=True) == Retried(jobs=1, deliveries=0)
            (job,) = tx.jobs.of_study(STUDY)
            assert (job.job_id, job.state, job.created_at) == (removed, JobState.PENDING, 20.0)
            assert tx.deliveries.of_study(STUDY) == [], "they are made when the job ends, and are sent then"
