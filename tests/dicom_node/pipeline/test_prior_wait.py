"""Current and prior sent together: the current study waits for the prior's own result, and never for long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from dispatching import image

from dicom_node.pipeline.dispatch import Dispatch
from storage.archive import Archive
from storage.arriving.prior_waits import PriorWait
from storage.database import Database
from storage.lifecycle import JobMark, JobState, StudyState
from storage.records import Instance, InstanceKind, Job, ResultObject, StoredFile

ADA = {"PatientID": "A 1", "PatientBirthDate": "18151210"}
DAYS = {"first": "20260110", "before": "20260410", "now": "20260709"}
UIDS = {"first": "1.2.1", "before": "1.2.2", "now": "1.2.3"}
NOTE = "Not compared with the study of 2026-04-10: it was still being processed."


class Ward(NamedTuple):
    """A patient's studies, by the name of their day, and the stage that dispatches them."""

    database: Database
    archive: Archive
    dispatch: Dispatch

    def receive(self, name: str, *, now: float = 10.0, slices: int = 60, modality: str = "CT", **header: str) -> None:
        uid = UIDS[name]
        with self.database.transaction() as tx:
            for number in range(1, slices + 1):
                sop, series = f"{uid}.1.{number}", f"{uid}.1"
                file = StoredFile(f"{sop}/x", 1, sop)
                kind = ("1.2.840.10008.5.1.4.1.1.2", series, uid, "1.2.840.10008.1.2.1", InstanceKind.IMAGE)
                facts = image(number, series, Modality=modality)
                arrived = Instance(sop, *kind, file, now, "", facts)
                tx.studies.add_instance(arrived, ADA | {"StudyDate": DAYS[name]} | header)

    def settle(self, name: str, now: float = 15.0) -> None:
        with self.database.transaction() as tx:
            tx.studies.move(UIDS[name], StudyState.COMPLETE, now)

    def send(self, name: str, **changes: Any) -> None:
        """It is received and has settled."""
        self.receive(name, **changes)
        self.settle(name)

    def step(self, now: float, dispatch: Dispatch | None = None) -> None:
        """Dispatch all that can be by now; that ends."""
        for _ in range(10):
            if not (dispatch or self.dispatch).step(now):
                return
        raise AssertionError("it goes round and round")

    def work(self, name: str, state: JobState = JobState.DONE, now: float = 60.0) -> None:
        """The study's job runs, and finds one lesion where it is DONE."""
        job = self.job(name)
        with self.database.transaction() as tx:
            assert tx.jobs.claim("infer", now, 60.0)
            summary = {"findings": [{"label": "Liver tumour 1"}]} if state is JobState.DONE else {}
            tx.jobs.finish(job.job_id, "infer", state, now, "because", summary=summary)
            if state is JobState.DONE:
                sop = f"{UIDS[name]}.9.1"
                tx.results.add(ResultObject(sop, "1.2", f"{UIDS[name]}.9", job.job_id, "seg", StoredFile(sop, 1, sop)))

    def jobs(self, name: str) -> list[Job]:
        with self.database.reading() as tx:
            return tx.jobs.of_study(UIDS[name])

    def job(self, name: str) -> Job:
        (job,) = self.jobs(name)
        return job

    def compared(self, name: str) -> str | None:
        """With which study the job of this one is compared, by the name of its day."""
        study = self.job(name).parameters.get("prior", {}).get("study")
        return {uid: day for day, uid in UIDS.items()}.get(study)

    def told(self, name: str, *events: str) -> list[str]:
        with self.database.reading() as tx:
            return [entry.text for entry in tx.journal.of_study(UIDS[name]) if entry.event in events]

    def waits(self, name: str) -> PriorWait | None:
        with self.database.reading() as tx:
            return tx.prior_waits.find(UIDS[name])


@pytest.fixture
def ward(database: Database, archive: Archive, dispatch: Dispatch) -> Ward:
    return Ward(database, archive, replace(dispatch, wait_s=600.0))


class TestItWaits:
    """For what is on its way."""

    def test_for_a_job_that_waits_or_runs_and_is_then_compared_with_its_result(self, ward: Ward) -> None:
        ward.send("before")
        ward.step(20.0)
        ward.send("now")
        ward.step(30.0)
        assert ward.jobs("now") == []
        assert ward.waits("now") == PriorWait(UIDS["now"], UIDS["before"], "liver_tumour", 30.0, 630.0)
        with ward.database.transaction() as tx:
            assert tx.jobs.claim("other", 35.0, 5.0)
        ward.step(38.0)
        assert ward.jobs("now") == []
        ward.work("before", now=60.0)
        ward.step(60.0)
        assert ward.compared("now") == "before"
        assert "notes" not in ward.job("now").parameters
        assert ward.waits("now") is None

    def test_for_a_study_that_has_not_settled_yet(self, ward: Ward) -> None:
        ward.receive("before")
        ward.send("now")
        ward.step(20.0)
        ward.settle("before")
        ward.step(30.0)
        assert (len(ward.jobs("before")), ward.jobs("now")) == (1, []), "it has its job, which did not run yet"
        ward.work("before")
        ward.step(70.0)
        assert ward.compared("now") == "before"

    def test_whichever_of_both_the_node_looks_at_first(self, ward: Ward) -> None:
        ward.send("before", now=10.0)
        ward.send("now", now=11.0)
        ward.step(20.0)
        assert (len(ward.jobs("before")), ward.jobs("now")) == (1, [])

    def test_a_whole_history_is_made_in_the_order_of_its_dates(self, ward: Ward) -> None:
        for arrival, name in enumerate(("now", "before", "first")):
            ward.send(name, now=10.0 + arrival)
        for number, name in enumerate(("first", "before", "now")):
            ward.step(20.0 + 10 * number)
            assert [one for one in UIDS if ward.jobs(one)] == ["first", "before", "now"][: number + 1]
            ward.work(name, now=25.0 + 10 * number)
        assert [ward.compared(name) for name in ("first", "before", "now")] == [None, "first", "before"]

    def test_and_the_verdicts_are_told_once_and_so_is_the_wait(self, ward: Ward) -> None:
        ward.receive("before")
        ward.send("now")
        for now in (20.0, 30.0, 40.0):
            ward.step(now)
        assert ward.told("now", "verdict") == []
        which = f"for study {UIDS['before']} of 2026-04-10, which is still being processed and to be compared with"
        assert ward.told("now", "waits") == [f"{which} (liver_tumour); 600 s at most"]
        ward.step(700.0)
        assert len(ward.told("now", "verdict")) == 2

    def test_through_a_restart_for_no_longer(self, ward: Ward) -> None:
        ward.receive("before")
        ward.send("now")
        ward.step(20.0)
        anew = Dispatch(ward.database, ward.dispatch.routing, ward.dispatch.models, wait_s=600.0)
        ward.step(619.0, anew)
        assert ward.jobs("now") == []
        ward.step(620.0, anew)
        assert len(ward.jobs("now")) == 1


class TestItsTimeIsOver:
    """The result is made all the same, and says what it was not compared with."""

    def test_the_journal_and_the_result_say_so(self, ward: Ward) -> None:
        ward.receive("before")
        ward.send("now")
        ward.step(20.0)
        ward.step(619.9)
        assert ward.jobs("now") == []
        ward.step(620.0)
        assert (ward.compared("now"), ward.job("now").parameters["notes"]) == (None, [NOTE])
        assert ward.told("now", "prior not used") == [
            f"study {UIDS['before']} of 2026-04-10 was still being processed after a wait of 600 s"
        ]
        assert ward.waits("now") is None

    def test_it_is_compared_with_an_older_one_instead(self, ward: Ward) -> None:
        ward.send("first")
        ward.step(20.0)
        ward.work("first", now=25.0)
        ward.receive("before")
        ward.send("now")
        ward.step(30.0)
        assert ward.jobs("now") == []
        ward.step(630.0)
        assert (ward.compared("now"), ward.job("now").parameters["notes"]) == ("first", [NOTE])

    def test_several_priors_do_not_have_it_wait_several_times(self, ward: Ward) -> None:
        ward.send("before")
        ward.send("now")
        ward.step(20.0)
        ward.receive("first", now=30.0)
        ward.work("before", JobState.REFUSED)
        ward.step(500.0)
        assert ward.waits("now") == PriorWait(UIDS["now"], UIDS["first"], "liver_tumour", 20.0, 620.0)
        ward.step(620.0)
        assert len(ward.jobs("now")) == 1

    def test_nobody_waits_where_the_site_does_not_want_it_and_the_result_says_so(self, ward: Ward) -> None:
        ward.receive("before")
        ward.send("now")
        ward.step(20.0, replace(ward.dispatch, wait_s=0.0))
        assert ward.job("now").parameters["notes"] == [NOTE]
        assert ward.told("now", "prior not used") == [
            f"study {UIDS['before']} of 2026-04-10 was still being processed"
        ]


class TestItWaitsForNothing:
    """An urgent study is not late for what never comes."""

    @pytest.fixture
    def at_once(self, ward: Ward) -> Callable[..., bool]:
        """Whether it has its job with the first step, and nobody is told of a prior that came too late."""

        def check(now: float = 100.0, dispatch: Dispatch | None = None) -> bool:
            ward.send("now")
            ward.step(now, dispatch)
            return ["notes" in job.parameters for job in ward.jobs("now")] == [False]

        return check

    @pytest.mark.parametrize("state", [JobState.FAILED, JobState.REFUSED])
    def test_where_the_priors_job_came_to_nothing(self, ward: Ward, at_once: Any, state: JobState) -> None:
        ward.send("before")
        ward.step(20.0)
        ward.work("before", state)
        assert at_once()

    def test_where_no_route_wanted_the_prior(self, ward: Ward, at_once: Any) -> None:
        ward.send("before", modality="US")
        ward.step(20.0)
        assert at_once()

    def test_where_the_priors_result_is_there_and_only_held_or_withdrawn(self, ward: Ward, at_once: Any) -> None:
        ward.send("before")
        ward.step(20.0)
        ward.work("before")
        with ward.database.transaction() as tx:
            tx.jobs.mark(ward.job("before").job_id, JobMark.WITHDRAWN)
        assert at_once()

    def test_where_the_priors_job_waits_for_a_model_that_is_disabled(self, ward: Ward, at_once: Any) -> None:
        ward.send("before")
        ward.step(20.0)
        other = replace(ward.dispatch.models["liver"], name="other")
        shut = {"old": replace(other, name="old", closed="is disabled since 2026-03-01 10:00 by ada")}
        with ward.database.transaction() as tx:  # the prior's was another, now disabled
            old = replace(ward.job("before"), job_id="b" * 64, model="old")
            tx.jobs.supersede(ward.job("before").job_id, 30.0, "")
            tx.jobs.add(old)
        assert at_once(dispatch=replace(ward.dispatch, models=dict(ward.dispatch.models) | shut))

    def test_where_a_wait_ends_since_the_model_is_disabled(self, ward: Ward) -> None:
        ward.send("before")
        ward.step(20.0)
        with ward.database.transaction() as tx:
            tx.jobs.supersede(ward.job("before").job_id, 30.0, "")
            tx.jobs.add(replace(ward.job("before"), job_id="b" * 64, model="old", state=JobState.PENDING))
        ward.send("now")
        ward.step(40.0)
        assert ward.jobs("now") == []
        shut = replace(ward.dispatch.models["liver"], name="old", closed="is disabled")
        ward.step(50.0, replace(ward.dispatch, models=dict(ward.dispatch.models) | {"old": shut}))
        assert len(ward.jobs("now")) == 1

    def test_where_the_priors_job_is_of_another_task(self, ward: Ward, at_once: Any) -> None:
        ward.send("before")
        ward.step(20.0)
        with ward.database.transaction() as tx:
            job = ward.job("before")
            tx.jobs.supersede(job.job_id, 30.0, "")
            tx.jobs.add(replace(job, job_id="b" * 64, task="lung_nodule"))
        assert at_once()

    @pytest.mark.parametrize(
        "other",
        [
            {"StudyDate": DAYS["now"]},
            {"StudyDate": "20260710"},
            {"PatientBirthDate": "18151211"},
            {"PatientBirthDate": ""},
            {"PatientID": "A 2"},
        ],
        ids=["same day", "later", "another patient", "nobody's", "another ID"],
    )
    def test_where_it_would_be_no_prior(self, ward: Ward, at_once: Any, other: dict[str, str]) -> None:
        ward.receive("before", **other)
        assert at_once()

    def test_where_a_newer_result_is_there_already(self, ward: Ward, at_once: Any) -> None:
        ward.send("before")
        ward.step(20.0)
        ward.work("before")
        ward.receive("first")
        assert at_once()
        assert ward.compared("now") == "before"

    def test_where_no_route_wants_it_itself(self, ward: Ward) -> None:
        ward.receive("before")
        ward.send("now", modality="US")
        ward.step(20.0)
        assert (ward.waits("now"), ward.told("now", "waits")) == (None, [])

    def test_where_a_person_brought_it(self, ward: Ward) -> None:
        ward.receive("before")
        ward.receive("now")
        with ward.database.transaction() as tx:
            assert tx.by_hand.take(UIDS["now"], "")
        ward.settle("now")
        ward.step(20.0)
        assert ward.job("now").parameters["notes"] == [NOTE]


class TestLaterOn:
    """A study that waits is like every other that has settled."""

    def test_late_images_open_it_and_its_time_goes_on(self, ward: Ward) -> None:
        ward.receive("before")
        ward.send("now", slices=60)
        ward.step(20.0)
        ward.receive("now", slices=70, now=30.0)
        ward.step(35.0)
        assert ward.jobs("now") == []
        ward.settle("now", 40.0)
        ward.step(50.0)
        assert ward.waits("now") == PriorWait(UIDS["now"], UIDS["before"], "liver_tumour", 20.0, 620.0)
        ward.step(620.0)
        assert len(ward.job("now").inputs["CT"]["instances"]) == 70

    def test_what_takes_a_results_place_waits_for_nothing(self, ward: Ward) -> None:
        ward.send("now")
        ward.step(20.0)
        ward.receive("before", now=30.0)
        ward.receive("now", slices=70, now=30.0)
        ward.settle("now", 40.0)
        ward.step(50.0)
        old, new = ward.jobs("now")
        assert {old.state, new.state} == {JobState.SUPERSEDED, JobState.PENDING}
        (made,) = [job for job in (old, new) if job.state is JobState.PENDING]
        assert made.parameters["notes"] == [NOTE]

    def test_a_prior_that_turns_out_to_be_anothers_is_waited_for_no_longer(self, ward: Ward) -> None:
        ward.send("before")
        ward.send("now")
        ward.step(20.0)
        assert ward.waits("now")
        with ward.database.transaction() as tx:
            old = tx.versions.current(f"{UIDS['now']}.1.1")
            assert old is not None
            new = replace(old, file=replace(old.file, sha256="ab"))
            tx.studies.add_instance(new)
            tx.versions.correct(old, new, {"PatientBirthDate": "18151211"}, copied=True)
            tx.studies.reopen(UIDS["now"], 30.0)
        assert ward.waits("now") is None, "who the patient is has changed"
        ward.settle("now", 40.0)
        ward.step(50.0)
        assert len(ward.jobs("now")) == 1
