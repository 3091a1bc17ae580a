"""The archive's file system goes away and is back ten minutes later: what needs a file waits, and loses nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from delivering import events
from inferring import MODEL, job
from mount import unmounted
from reviewing import CORRECTED, JOB, Scene

from dicom_node.objects.encode import Encoded
from dicom_node.pipeline import infer as module
from dicom_node.pipeline.deliver import Deliver
from dicom_node.pipeline.infer import Infer, InferLimits
from dicom_node.pipeline.inputs import inputs_of
from dicom_node.pipeline.prior_files import load_prior
from dicom_node.pipeline.review import Review
from inference.errors import Unfit
from inference.findings import Result
from inference.request import Request
from inference.volume import Grid
from storage.database import Database
from storage.errors import Unavailable
from storage.files.folder_archive import FolderArchive
from storage.lifecycle import DeliveryState, JobState
from storage.records import Delivery, Job


class Reader:
    """An executor that reads the images, and takes what it cannot read for a fault of theirs."""

    before: Callable[[], None] = staticmethod(lambda: None)
    after: Callable[[], None] = staticmethod(lambda: None)

    def run(self, request: Request, _: Callable[[float, str], None]) -> Result:
        self.before()
        try:
            for path in request.inputs["CT"].paths:
                path.read_bytes()
        except FileNotFoundError as gone:
            raise Unfit("The pixels of an image cannot be decoded.") from gone
        self.after()
        return Result("liver_tumour", MODEL, Grid((1, 1, 1), np.eye(4)), "CT", request.scratch, ())


def encode(_: Job, __: Result, files: Mapping[str, Sequence[Path]]) -> tuple[Encoded, ...]:
    return (Encoded("sr", "2.25.1", "1.2.840.10008.5.1.4.1.1.88.34", "2.25.2", files["CT"][0].read_bytes()),)


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def infer(
    database: Database, archive: FolderArchive, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Infer:
    monkeypatch.setattr(module, "PATIENCE_S", -1.0)
    limits = InferLimits(lease_term_s=60, time_limit_s=120, max_crashes=2)
    return Infer(database, archive, reader, encode, {}, limits, tmp_path / "scratch", "me")  # type: ignore[arg-type]


def test_a_job_whose_images_are_away_waits_for_them(
    infer: Infer, queue: Callable[..., Job], database: Database, archive: FolderArchive
) -> None:
    queue()
    with unmounted(archive.root), pytest.raises(Unavailable, match="is its file system mounted"):
        infer.step(50.0)
    assert (job(database).state, job(database).attempts, job(database).crashes) == (JobState.PENDING, 0, 0)
    assert infer.step(60.0)
    assert job(database).state is JobState.DONE


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_job_from_which_they_go_while_it_runs_waits_for_them(
    infer: Infer, reader: Reader, queue: Callable[..., Job], database: Database, archive: FolderArchive, when: str
) -> None:
    """What the worker finds unfit then, or the encoder cannot read, is no verdict on the images."""
    queue()
    setattr(reader, when, lambda: archive.root.rename(archive.root.with_name("aside")))
    with pytest.raises(Unavailable):
        infer.step(50.0)
    assert (job(database).state, job(database).crashes) == (JobState.PENDING, 0)


def test_a_job_fails_over_a_file_that_alone_is_missing(
    infer: Infer, queue: Callable[..., Job], database: Database, archive: FolderArchive
) -> None:
    queue()
    next(archive.root.rglob("*.dcm")).unlink()
    assert infer.step(50.0)
    assert job(database).state is JobState.FAILED
    assert "1 of the 3 files" in job(database).reason


def test_a_file_handle_that_has_become_stale_is_no_lost_file(
    queue: Callable[..., Job], database: Database, archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = queue()

    def stale(*_: Any, **__: Any) -> os.stat_result:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(Path, "stat", stale)
    with pytest.raises(Unavailable, match="Stale file handle"), inputs_of(database, archive, queued):
        pass


def test_a_delivery_whose_files_are_away_waits_with_its_reason_and_is_sent_when_they_are_back(
    result: Callable[..., int], step: Callable[..., bool], look: Callable[..., Delivery], archive: FolderArchive,
    database: Database,
) -> None:  # fmt: skip
    result()
    with unmounted(archive.root):
        for now in (1000.0, 1020.0):
            assert step(now)
        assert not step(1021.0), "its turn comes after a pause"
    assert (look().state, look().faults, look().lease_owner) == (DeliveryState.PENDING, 0, None)
    assert "is its file system mounted" in look().reason
    assert [event for event, _ in events(database)] == ["delivery postponed"], "it is told once"
    assert step(1100.0)
    assert (look().state, look().reason) == (DeliveryState.SENT, "")


def test_a_result_that_cannot_be_read_keeps_no_other_from_the_destination(
    result: Callable[..., int], step: Callable[..., bool], look: Callable[..., Delivery], archive: FolderArchive,
    database: Database, monkeypatch: pytest.MonkeyPatch, deliver: Deliver,
) -> None:  # fmt: skip
    """The oldest waits first in line; where a sector of its file is bad it would come to nothing there for days."""
    broken, whole = result(1, now=1.0), result(2, now=2.0)
    with database.reading() as tx:
        bad = archive.path(tx.results.of_job(look(broken).job_id)[0].file)
    opened = Path.open

    def failing(path: Path, *said: Any, **more: Any) -> Any:
        if path == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, *said, **more)

    monkeypatch.setattr(Path, "open", failing)
    assert [step(1000.0), step(1001.0)] == [True, True]
    assert (look(broken).state, look(whole).state) == (DeliveryState.PENDING, DeliveryState.SENT)
    assert look(broken).reason == "the archive's disk failed: Input/output error"
    failed = ("delivery_failures", (("destination", "pacs"), ("reason", "storage")))
    assert deliver.counts.take()[failed] == 1


def test_what_was_sent_back_is_read_when_it_is_there_again(scene: Callable[..., Scene]) -> None:
    node = scene()
    node.arrive(node.corrected(CORRECTED), 100.0)
    stage = Review(node.database, node.archive)
    root = node.archive.root  # type: ignore[attr-defined]
    with unmounted(root):
        assert stage.step(101.0)
        assert not stage.step(102.0)
    assert stage.step(161.0)
    assert [event for event, _ in node.told()] == ["waits", "reviewed"]


def test_a_prior_that_is_away_is_waited_for(scene: Callable[..., Scene], tmp_path: Path) -> None:
    """Without it the result would compare nothing, for good."""
    node = scene()
    with node.database.reading() as tx:
        made, segs = tx.jobs.get(JOB), [result.sop_instance_uid for result in tx.results.of_job(JOB)]
    prior = {"study": node.study, "job": JOB, "segs": segs, **made.inputs["CT"], "taken": "2026-04-10",
             "current_taken": "2026-07-09"}  # fmt: skip
    made.parameters["prior"] = prior
    root = node.archive.root  # type: ignore[attr-defined]
    with unmounted(root), pytest.raises(Unavailable), load_prior(node.database, node.archive, made, tmp_path):
        pass
