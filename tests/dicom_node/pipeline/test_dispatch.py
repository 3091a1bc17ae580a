"""Routes become jobs, and every verdict is kept with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from dispatching import ROUTING, STUDY, image, jobs, reject, state

from dicom_node.acts.route_again import route_again
from dicom_node.pipeline.dispatch import Dispatch
from dicom_node.routing.route import Priority
from dicom_node.routing.table import decide
from storage.database import Database
from storage.lifecycle import FetchState, JobState, StudyState
from storage.records import FetchPurpose, Wanted


def test_a_fit_series_becomes_a_job(dispatch: Dispatch, database: Database, scan: Callable[..., None]) -> None:
    scan(1, 80)
    assert dispatch.step(20.0)
    (job,) = jobs(database)
    assert (job.task, job.route, job.state) == ("liver_tumour", "liver", JobState.PENDING)
    assert len(job.inputs["CT"]["instances"]) == 80
    assert job.parameters["destinations"] == ["pacs"]
    assert state(database) is StudyState.DISPATCHED
    assert not dispatch.step(21.0)


def test_every_verdict_is_kept_with_its_reason_and_revision(
    dispatch: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 80)
    dispatch.step(20.0)
    with database.reading() as tx:
        verdicts = [entry for entry in tx.journal.of_study(STUDY) if entry.event == "verdict"]
    assert {entry.series_instance_uid for entry in verdicts} == {"", "1.2.3.1"}
    assert all(entry.text and entry.revision == 4 for entry in verdicts)


def test_what_no_route_wants_is_kept_and_said(
    dispatch: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    scan(1, 40, Modality="US")
    dispatch.step(20.0)
    assert state(database) is StudyState.NOT_ROUTED
    assert jobs(database) == []
    with database.reading() as tx:
        assert "not routed" in [entry.event for entry in tx.journal.of_study(STUDY)]


def test_rejected_images_are_no_input(dispatch: Dispatch, database: Database, scan: Callable[..., None]) -> None:
    scan(1, 80)
    reject(database, 80)
    dispatch.step(40.0)
    (job,) = jobs(database)
    assert len(job.inputs["CT"]["instances"]) == 79


def test_what_two_routes_want_alike_is_made_once_and_goes_to_the_destinations_of_both(
    dispatch: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    liver = ROUTING.routes[0]
    trial = liver.model_copy(update={"name": "trial", "destinations": ("research", "pacs")})
    trial = trial.model_copy(update={"priority": Priority(default=90)})
    both = replace(dispatch, routing=ROUTING.model_copy(update={"routes": (liver, trial)}))
    scan(1, 80)
    both.step(20.0)
    (job,) = jobs(database)
    assert (job.route, job.parameters["destinations"], job.priority) == ("liver", ["pacs", "research"], 90)
    with database.reading() as tx:
        told = [entry.text for entry in tx.journal.of_study(STUDY) if entry.event == "job made"]
    assert told == [
        "route liver: liver_tumour with model liver, generation 1",
        "route trial: the same as route liver; what that makes goes to research and pacs as well",
    ]


def test_the_route_names_a_priority(dispatch: Dispatch, database: Database, scan: Callable[..., None]) -> None:
    scan(1, 80)
    dispatch.step(20.0)
    assert jobs(database)[0].priority == ROUTING.routes[0].priority.default


def test_a_study_that_was_wanted_by_a_person_goes_behind_all_others(
    dispatch: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    with database.transaction() as tx:
        wish = Wanted(STUDY, "pacs", FetchPurpose.PROCESS, 60.0, 5.0, {"priority": 3})
        tx.fetches.want(wish, 5.0, over=())
    scan(1, 80)
    dispatch.step(20.0)
    assert jobs(database)[0].priority == 3


def test_what_is_left_out_of_a_series_is_told(
    dispatch: Dispatch, database: Database, arrive: Callable[..., None], scan: Callable[..., None]
) -> None:
    for number in range(1, 61):
        arrive(100 + number, 10.0, **image(number, AcquisitionNumber=2))
    scan(1, 60, AcquisitionNumber=1)
    dispatch.step(20.0)
    (job,) = jobs(database)
    told = ("The series holds 2 sets of images at the same places, told apart by AcquisitionNumber; the last of the "
            "most complete ones was used (60 of 120 images).")
    assert job.parameters["notes"] == [f"CT: {told}"]
    with database.reading() as tx:
        (verdict,) = [entry for entry in tx.journal.of_study(STUDY) if entry.series_instance_uid]
    assert told in verdict.text


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
        self, dispatch: Dispatch, database: Database, scan: Callable[..., None]
    ) -> None:
        self.settle(database, {"incomplete": "process"})
        dispatch.step(20.0)
        (job,) = jobs(database)
        assert job.parameters["incomplete"] == self.LACKING
        scan(78, 80, now=30.0)
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.RECEIVING, 31.0)
        self.settle(database, {"incomplete": "process"}, incomplete="")
        dispatch.step(40.0)
        old, new = sorted(jobs(database), key=lambda job: job.generation)
        assert (old.state, new.state, new.generation) == (JobState.SUPERSEDED, JobState.PENDING, 2)
        assert "incomplete" not in new.parameters

    @pytest.mark.usefixtures("arrived")
    def test_what_it_lacks_is_no_part_of_what_a_job_is(self, dispatch: Dispatch, database: Database) -> None:
        self.settle(database, {})
        dispatch.step(20.0)
        (first,) = jobs(database)
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.RECEIVING, 25.0)
        self.settle(database, {}, incomplete="")
        dispatch.step(30.0)
        assert [job.job_id for job in jobs(database)] == [first.job_id], "the same images, the same job"

    @pytest.mark.usefixtures("arrived")
    def test_a_source_may_have_it_refused(self, dispatch: Dispatch, database: Database) -> None:
        self.settle(database, {"incomplete": "refuse"})
        dispatch.step(20.0)
        assert (jobs(database), state(database)) == ([], StudyState.NOT_ROUTED)


def test_a_disabled_model_gets_no_job_and_the_verdict_says_why(
    dispatch: Dispatch, database: Database, scan: Callable[..., None]
) -> None:
    liver = dispatch.models["liver"]
    off = replace(dispatch, models={"liver": replace(liver, closed="is disabled since 2026-03-01 10:00 by ada")})
    scan(1, 30)
    off.step(20.0)
    assert (jobs(database), state(database)) == ([], StudyState.NOT_ROUTED)
    with database.reading() as tx:
        told = [entry for entry in tx.journal.of_study(STUDY) if not entry.series_instance_uid]
    verdict = next(entry for entry in told if entry.event == "verdict")
    assert not verdict.detail["ok"]
    assert verdict.text.startswith(
        "model liver is disabled since 2026-03-01 10:00 by ada; else it would get a job: ")
    assert told[-1].text == (
        f"it is kept; once model liver is enabled again, `segnode route {STUDY}` has routes look anew")
    with database.transaction() as tx:
        route_again(tx, 30.0, STUDY)
    dispatch.step(40.0)
    assert (len(jobs(database)), state(database)) == (1, StudyState.DISPATCHED)


def test_a_study_that_cannot_be_decided_on_keeps_no_other_waiting(
    dispatch: Dispatch, database: Database, scan: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(1, 80)
    with database.transaction() as tx:
        odd = tx.studies.instances(study_uid=STUDY)[0]
        tx.studies.add_instance(replace(odd, study_instance_uid="1.2.4", sop_instance_uid="1.2.4.1", received_at=11.0))
        tx.studies.move("1.2.4", StudyState.COMPLETE, 11.0)

    def decide_but(routes: Any, facts: Any, closed: Any) -> Any:
        if facts.uid == "1.2.4":
            raise ValueError("unforeseen")
        return decide(routes, facts, closed)

    monkeypatch.setattr("dicom_node.pipeline.dispatch.decide", decide_but)
    with pytest.raises(ValueError, match="unforeseen"):
        dispatch.step(20.0)  # the newest first
    assert dispatch.step(22.0)
    assert (state(database), dispatch.step(24.0)) == (StudyState.DISPATCHED, False)
    monkeypatch.undo()
    assert dispatch.step(80.0), "it is tried again"
    with database.reading() as tx:
        assert tx.studies.get("1.2.4").state is not StudyState.COMPLETE
