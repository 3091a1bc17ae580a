"""A shadow answers on a finished job's images, is compared with it, harms nothing and makes way for every job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from reviewing import FOUND, JOB, Scene, tumours

from dicom_node.pipeline import give_way
from dicom_node.pipeline.installed import InstalledModel
from dicom_node.pipeline.shadow import MOST_ATTEMPTS, RunShadows
from inference.backends import build
from inference.errors import ModelError, Unfit, WorkerDied
from inference.findings import IntendedUse, ModelIdentity, Result
from inference.predict import predict
from inference.request import Request
from storage.archive import Archive
from storage.database import Database
from storage.lifecycle import JobState, TrialState
from storage.records import Job
from storage.working.shadows import Pair, Shadow

TUMOURS = {"kind": "threshold", "lower": 75.0, "upper": 3000.0, "label": 2}  # what FOUND has, without its liver
NEXT = InstalledModel("next", "liver_tumour", TUMOURS, ModelIdentity("n", "2", "", "us", IntendedUse.RESEARCH))


@dataclass
class Worker:
    """Runs in this process, or ends as it is told."""

    fault: Exception | None = None
    meanwhile: Callable[[], None] | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self.stopped.clear()

    def stop(self) -> None:
        self.stopped.set()

    def run(self, request: Request, report: Callable[[float, str], None]) -> Result:
        if self.meanwhile:
            self.meanwhile()
            assert self.stopped.wait(10.0)
            raise WorkerDied("stopped", stopped=True)
        if self.fault:
            raise self.fault
        return predict(request, build(request.model).load("cpu"), report)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def stage(database: Database, archive: Archive, worker: Worker, tmp_path: Path) -> RunShadows:
    return RunShadows(database, archive, lambda: worker, {"next": NEXT}, 60.0, 60.0, tmp_path / "scratch", "me",
                      clock=lambda: 99.0)  # type: ignore[arg-type]


@pytest.fixture
def queued(scene: Callable[..., Scene], database: Database) -> Callable[..., Scene]:
    """`queued(labels)` stores a study whose job found these labels, and queues it for the shadow."""

    def make(labels: np.ndarray = FOUND, **changes: object) -> Scene:
        made = scene(labels, **changes)
        with database.transaction() as tx:
            tx.shadows.add(Pair(JOB, made.study, "net", "1", "next"), 50.0)
        return made

    return make


def last(database: Database) -> Shadow:
    with database.reading() as tx:
        return tx.shadows.of_model("net", 1)[0]


def test_both_sides_are_compared_and_nothing_of_it_is_a_result(
    stage: RunShadows, queued: Callable[..., Scene], database: Database
) -> None:
    made = queued()
    assert stage.step(60.0)
    found = last(database)
    assert (found.state, found.version, found.shadow_version, found.ended_at) == (TrialState.DONE, "1", "1", 99.0)
    regions = {one["region"]: one for one in found.answer["regions"]}
    assert (regions["Liver tumour"]["dice"], regions["Liver"]["dice"]) == (1.0, 0.0)
    assert regions["Liver tumour"]["ml"] == regions["Liver tumour"]["shadow_ml"] > 0
    assert found.mean_dice == sum(one["dice"] for one in regions.values()) / len(regions)
    assert found.answer["shadow_seconds"] > 0
    with database.reading() as tx:
        assert [one.kind for one in tx.results.of_job(JOB)] == ["seg"]
        assert tx.deliveries.of_study(made.study) == []
    assert list(stage.scratch.iterdir()) == []
    assert not stage.step(70.0)


def test_where_both_find_nothing_they_agree(
    stage: RunShadows, queued: Callable[..., Scene], database: Database
) -> None:
    queued(tumours(liver=False))
    replace(stage, models={"next": replace(NEXT, settings=TUMOURS | {"lower": 2000.0})}).step(60.0)
    assert (last(database).mean_dice, last(database).answer["regions"]) == (1.0, [])


@pytest.mark.parametrize("fault", [Unfit("no liver"), ModelError("no memory"), WorkerDied("signal 9")])
def test_a_failing_shadow_leaves_its_reason_and_harms_nothing(
    stage: RunShadows, queued: Callable[..., Scene], database: Database, worker: Worker, fault: Exception
) -> None:
    queued()
    worker.fault = fault
    assert stage.step(60.0)
    assert (last(database).state, last(database).reason) == (TrialState.FAILED, str(fault))
    with database.reading() as tx:
        assert tx.jobs.get(JOB).state is JobState.DONE


@pytest.mark.parametrize(("models", "kinds", "reason"), [
    ({}, ("seg",), "no model next is installed any more"),
    ({"next": replace(NEXT, closed="is disabled by ada")}, ("seg",), "model next is disabled by ada"),
    ({"next": NEXT}, ("sr",), "its job made no segmentation to compare it with"),
])
def test_what_cannot_be_compared_is_told(
    stage: RunShadows, queued: Callable[..., Scene], database: Database, models: dict[str, InstalledModel],
    kinds: tuple[str, ...], reason: str,
) -> None:  # fmt: skip
    queued(kinds=kinds)
    replace(stage, models=models).step(60.0)
    assert last(database).reason == reason


def test_what_ended_the_whole_process_is_not_tried_for_ever(
    stage: RunShadows, queued: Callable[..., Scene], database: Database
) -> None:
    queued()
    for number in range(MOST_ATTEMPTS):
        with database.transaction() as tx:
            tx.shadows.claim("a process that died", 60.0 + number, 0.5)
    stage.step(70.0)
    assert last(database).reason == f"the node ended under it {MOST_ATTEMPTS} times"


def test_it_waits_as_long_as_a_job_waits_or_runs(
    stage: RunShadows, queued: Callable[..., Scene], database: Database, another: Callable[[str], None]
) -> None:
    queued()
    another("later")
    assert not stage.step(60.0)
    with database.transaction() as tx:
        tx.jobs.claim("infer", 61.0, 60.0)
    assert not stage.step(62.0)
    with database.transaction() as tx:
        tx.jobs.finish("later", "infer", JobState.DONE, 63.0)
    assert stage.step(64.0)


@pytest.fixture
def another(database: Database) -> Callable[[str], None]:
    """`another(id)` puts one more job of the study into the queue."""

    def add(job_id: str) -> None:
        with database.transaction() as tx:
            first = tx.jobs.get(JOB)
            tx.jobs.add(Job(**{**vars(first), "job_id": job_id, "state": JobState.PENDING, "summary": {}}))

    return add


def test_it_makes_way_for_a_job_that_comes(
    stage: RunShadows, queued: Callable[..., Scene], database: Database, worker: Worker,
    another: Callable[[str], None], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(give_way, "LOOK_EVERY_S", 0.01)
    queued()
    worker.meanwhile = lambda: another("urgent")
    assert stage.step(60.0)
    assert (last(database).state, last(database).attempts) == (TrialState.PENDING, 0)
    with database.reading() as tx:
        assert tx.shadows.waiting(61.0), "it is run once there is time"


def test_it_waits_as_long_as_a_model_is_tried(
    stage: RunShadows, queued: Callable[..., Scene], database: Database
) -> None:
    queued()
    with database.transaction() as tx:
        tx.benches.add("net", "otto", 55.0)
    assert not stage.step(60.0)
