"""A leased job ends in one commit: DONE with objects and deliveries, REFUSED or FAILED with its reason."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from inferring import MODEL, STUDY, Device, encode, events, job

from dicom_node.errors import ResultInvalid
from dicom_node.objects.encode import Encoded
from dicom_node.objects.profile import Profile
from dicom_node.pipeline import infer as module
from dicom_node.pipeline.infer import Infer
from dicom_node.pipeline.installed import InstalledModel
from dicom_node.pipeline.reasons import reason_of
from inference.codes import NEOPLASM
from inference.errors import BundleBroken, Unfit, WorkerDied
from inference.findings import Result
from inference.request import Request
from inference.trend import Outcome, Since, Trend
from storage.database import Database
from storage.errors import LeaseLost
from storage.lifecycle import DeliveryState, JobState
from storage.records import Job


def test_done_is_one_commit(infer: Infer, database: Database, queue: Callable[..., Job], device: Device) -> None:
    queue()
    assert infer.step(50.0)
    assert job(database).state is JobState.DONE
    with database.reading() as tx:
        (result,) = tx.results.of_job("a" * 64)
        (delivery,) = tx.deliveries.of_study(STUDY)
    assert infer.archive.path(result.file).read_bytes().endswith(b"a report")
    assert (delivery.destination, delivery.state) == ("pacs", DeliveryState.PENDING)
    assert len(device.asked[0].inputs["CT"].paths) == 3
    assert not infer.step(60.0), "the queue is empty"


def test_what_was_filled_in_is_told_once(infer: Infer, database: Database, queue: Callable[..., Job]) -> None:
    def twice(*arguments: object) -> tuple[Encoded, ...]:
        (report,) = encode(*arguments)  # type: ignore[arg-type]
        one = replace(report, filled=("Empty: StudyID.",))
        return one, replace(one, sop_instance_uid="2.25.3")

    queue()
    replace(infer, encode=twice).step(50.0)
    with database.reading() as tx:
        assert [e.text for e in tx.journal.of_study(STUDY) if e.event == "filled"] == ["Empty: StudyID."]


def test_each_delivery_is_of_the_objects_that_its_destination_wants(
    infer: Infer, database: Database, queue: Callable[..., Job]
) -> None:
    queue(parameters={"model": {}, "destinations": ["pacs", "ward"], "outputs": ["sr"]})
    infer.step(50.0)
    with database.reading() as tx:
        wanted = {delivery.destination: delivery.variant for delivery in tx.deliveries.of_study(STUDY)}
    assert wanted == {"pacs": "", "ward": Profile(seg="labelmap").variant}


def test_an_attempt_has_a_scratch_of_its_own_and_what_a_dead_one_left_goes(
    infer: Infer, database: Database, queue: Callable[..., Job]
) -> None:
    job = queue()
    others = infer.scratch / f"{job.job_id[:16]}-1"  # a pipeline that lost its lease, and perhaps does not know it yet
    unrelated = infer.scratch / "another-1"
    for folder in (others, unrelated):
        folder.mkdir(parents=True)
    with database.transaction() as tx:
        assert tx.jobs.claim("another", 10.0, 5.0)
    seen: list[str] = []
    run = infer.executor.run

    def look(request: Request, report: Callable[[float, str], None]) -> Result:
        seen.extend(sorted(one.name for one in infer.scratch.iterdir()))
        return run(request, report)

    infer.executor.run = look  # type: ignore[method-assign]
    infer.step(50.0)
    assert set(seen) == {"another-1", f"{job.job_id[:16]}-2"}
    assert list(infer.scratch.iterdir()) == [unrelated]


def test_what_died_long_ago_and_never_ran_here_again_leaves_no_scratch(
    infer: Infer, queue: Callable[..., Job]
) -> None:
    """Its job was superseded, has failed, or ended on another machine; masks of patients lie there."""
    queue()
    now, longest = time.time(), infer.limits.time_limit_s + module.DAY_S
    for name, age in (("dead-1", longest + 60), ("running-1", longest - 60)):
        (infer.scratch / name).mkdir(parents=True)
        (infer.scratch / name / "mask.npy").write_bytes(b"a mask")
        os.utime(infer.scratch / name, (now - age, now - age))
    infer.step(50.0)
    assert [one.name for one in infer.scratch.iterdir()] == ["running-1"]


def test_scratch_is_swept(infer: Infer, queue: Callable[..., Job]) -> None:
    queue()
    infer.step(50.0)
    assert list(infer.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "state", "word"),
    [
        (Unfit("no liver is in the picture"), JobState.REFUSED, "no liver"),
        (BundleBroken("model.pt was changed"), JobState.FAILED, "model.pt was changed"),
        (ResultInvalid("a segment is empty"), JobState.FAILED, "a segment is empty"),
    ],
)
def test_an_end_has_its_reason(
    infer: Infer,
    database: Database,
    queue: Callable[..., Job],
    device: Device,
    fault: Exception,
    state: JobState,
    word: str,
) -> None:
    queue()
    device.fault = fault
    infer.step(50.0)
    ended = job(database)
    assert ended.state is state
    assert word in ended.reason
    assert str(state).lower() in events(database)
    assert infer.counts.take() == {("job_failures", (("reason", reason_of(fault)), ("task", ended.task))): 1}


def test_a_job_that_cost_its_worker_twice_fails(
    infer: Infer, database: Database, queue: Callable[..., Job], device: Device
) -> None:
    queue()
    device.fault = WorkerDied("killed by signal 9")
    infer.step(50.0)
    assert job(database).state is JobState.PENDING, "once is bad luck"
    infer.step(51.0)
    assert job(database).state is JobState.FAILED
    assert events(database).count("worker died") == 2


def test_a_worker_that_dies_once_costs_nothing(
    infer: Infer, database: Database, queue: Callable[..., Job], device: Device
) -> None:
    queue()
    device.fault = WorkerDied("killed by signal 9")
    infer.step(50.0)
    device.fault = None
    infer.step(51.0)
    assert job(database).state is JobState.DONE


def test_stopping_the_node_is_no_fault_of_the_job(
    infer: Infer, database: Database, queue: Callable[..., Job], device: Device
) -> None:
    queue()
    device.fault = WorkerDied("the node was stopped under the job", stopped=True)
    for now in (50.0, 51.0, 52.0):
        infer.step(now)
    assert (job(database).state, job(database).crashes) == (JobState.PENDING, 0)


def test_results_are_held_where_the_destination_does_not_accept_them(
    infer: Infer, database: Database, queue: Callable[..., Job]
) -> None:
    queue(parameters={"model": {}, "destinations": ["pacs", "ward", "gone"], "outputs": ["sr"]})
    infer.step(50.0)
    with database.reading() as tx:
        by_name = {d.destination: d for d in tx.deliveries.of_study(STUDY)}
    assert by_name["pacs"].state is DeliveryState.PENDING
    assert by_name["ward"].state is DeliveryState.HELD
    assert "demonstration" in by_name["ward"].reason
    assert by_name["gone"].state is DeliveryState.HELD


def test_who_lost_the_lease_drops_the_work(
    infer: Infer, database: Database, queue: Callable[..., Job], device: Device
) -> None:
    queue()

    def supersede() -> None:
        with database.transaction() as tx:
            tx.jobs.supersede("a" * 64, 55.0, "late images")

    device.meanwhile = supersede
    with pytest.raises(LeaseLost):
        infer.step(50.0)
    with database.reading() as tx:
        assert tx.results.of_job("a" * 64) == []
        assert tx.deliveries.of_study(STUDY) == []


def test_missing_files_fail_the_job_by_name(
    infer: Infer, database: Database, queue: Callable[..., Job]
) -> None:
    queue(inputs={"CT": {"series": "1.2.3.1", "instances": ["1.2.3.1.1", "1.2.3.1.99"]}})
    infer.step(50.0)
    assert job(database).state is JobState.FAILED
    assert "1 of 2 instances" in job(database).reason


def test_a_job_whose_last_permitted_owner_died_is_not_run_once_more(
    infer: Infer, database: Database, queue: Callable[..., Job], device: Device
) -> None:
    queue()
    for now in (0.0, 10.0):  # the whole pipeline ended under it each time, and recovery has not come to that
        with database.transaction() as tx:
            assert tx.jobs.claim("dead", now, 5.0)
    assert infer.step(20.0)
    assert device.asked == []
    assert (job(database).state, job(database).crashes) == (JobState.FAILED, 2)
    assert events(database)[-1] == "failed"


def test_which_model_measured_is_kept_for_who_compares_with_it_later(
    infer: Infer, database: Database, queue: Callable[..., Job]
) -> None:
    queue()
    infer.step(50.0)
    assert job(database).summary["maker"] == {"name": "liver", "version": "1", "sha256": "ab"}


def test_what_a_peer_may_hold_is_not_made_again_by_another_model(
    infer: Infer, database: Database, queue: Callable[..., Job]
) -> None:
    """The names of its objects are the job's: another answer would stand under UIDs that a PACS has already."""
    queue(summary={"maker": {"name": "liver", "version": "0", "sha256": "cd"}})
    for _ in range(2):
        infer.step(50.0)
        assert job(database).state is JobState.FAILED
        assert "was made by liver 0, and liver 1 is here now" in job(database).reason
        with database.transaction() as tx:
            assert tx.results.of_job(job(database).job_id) == []
            tx.jobs.retry(job(database).job_id, 60.0)


def test_the_model_that_made_it_makes_it_again(infer: Infer, database: Database, queue: Callable[..., Job]) -> None:
    queue(summary={"maker": {"name": "liver", "version": "1", "sha256": "ab"}})
    infer.step(50.0)
    assert job(database).state is JobState.DONE


def test_the_journal_says_that_another_model_measured_the_prior() -> None:
    trend = Trend("1.2.9", date(2026, 1, 10), date(2026, 4, 10), registration="rigid")
    told = module.in_words(replace(trend, other_model="liver 0.9"))
    assert "of 2026-01-10 (90 days before), which another model measured (liver 0.9), rigid registration" in told
    assert "another model" not in module.in_words(trend)


@pytest.mark.parametrize(
    ("label", "said"), [("Nodule 1", "; lesions: 1 matched"), ("Lesion 1 oedema", "; regions of lesions: 1 matched")]
)
def test_the_journal_says_whether_it_counts_lesions_or_their_regions(label: str, said: str) -> None:
    one = Since(Outcome.MATCHED, "2.25.1", label, NEOPLASM)
    trend = Trend("1.2.9", date(2026, 1, 10), date(2026, 4, 10), (one,), registration="rigid")
    assert module.in_words(trend).endswith(said)


def test_what_the_study_lacked_is_the_first_of_the_jobs_notes(
    infer: Infer, database: Database, queue: Callable[..., Job]
) -> None:
    parameters = {"model": {"kind": "threshold"}, "destinations": [], "outputs": ["seg"]}
    queue(parameters=parameters | {"incomplete": "incomplete: 3 of 412 images missing"})
    infer.step(50.0)
    assert job(database).summary["notes"] == ["incomplete: 3 of 412 images missing"]


def test_what_dispatch_left_out_is_in_the_result_once(
    infer: Infer, database: Database, queue: Callable[..., Job]
) -> None:
    class Reader(Device):
        """It finds one of two things that dispatch found in the headers."""

        def run(self, request: Request, report: Callable[[float, str], None]) -> Result:
            return replace(super().run(request, report), notes=("CT: The slices lean.", "Few voxels."))

    seen: list[Result] = []

    def look(job: Job, result: Result, files: Mapping[str, Sequence[Path]]) -> tuple[Encoded, ...]:
        seen.append(result)
        return encode(job, result, files)

    left_out = ["CT: The series holds 2 sets of images.", "CT: The slices lean."]
    queue(parameters={"model": {}, "destinations": ["pacs"], "outputs": ["seg", "sr"], "notes": left_out})
    replace(infer, executor=Reader(), encode=look).step(50.0)  # type: ignore[arg-type]
    assert list(seen[0].notes) == job(database).summary["notes"] == [*left_out, "Few voxels."]


def test_who_reads_the_result_is_told_why_it_is_not_compared_with_its_prior(
    infer: Infer, database: Database, queue: Callable[..., Job]
) -> None:
    seen: list[Result] = []

    def look(job: Job, result: Result, files: Mapping[str, Sequence[Path]]) -> tuple[Encoded, ...]:
        seen.append(result)
        return encode(job, result, files)

    gone = {"study": "1.2.2", "series": "1.2.2.1", "instances": ["1.2.2.1.1"], "segs": [], "taken": "2026-01-10"}
    queue(parameters={"model": {}, "destinations": ["pacs"], "outputs": ["seg", "sr"], "prior": gone})
    replace(infer, encode=look).step(50.0)
    why = "Not compared with the study of 2026-01-10: 1 of 1 images of the prior are no longer held."
    assert list(seen[0].notes) == job(database).summary["notes"] == [why]
    assert "prior not used" in events(database)



def test_a_job_of_a_disabled_model_waits(infer: Infer, database: Database, queue: Callable[..., Job]) -> None:
    queue()
    model = InstalledModel(job(database).model, "liver_tumour", {}, MODEL, closed="is disabled")
    assert not replace(infer, models={model.name: model}).step(50.0)
    assert job(database).state is JobState.PENDING
    assert replace(infer, models={model.name: replace(model, closed="")}).step(60.0)


@pytest.mark.parametrize(("closed", "waits"), [("", True), ("is disabled", False)])
def test_a_job_that_is_done_is_queued_for_its_models_shadow(
    infer: Infer, database: Database, queue: Callable[..., Job], closed: str, waits: bool
) -> None:
    queue()
    main = InstalledModel("liver", "liver_tumour", {}, MODEL, shadow="next")
    replace(infer, models={"liver": main, "next": replace(main, name="next", shadow="", closed=closed)}).step(50.0)
    with database.reading() as tx:
        found = tx.shadows.of_model("liver", 5)
    assert [(one.job_id, one.study_uid, one.version, one.shadow) for one in found] == (
        [("a" * 64, STUDY, "1", "next")] if waits else [])
