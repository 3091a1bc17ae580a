"""What keeps a job from its files for a while costs it no crash, and the jobs behind it nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from inferring import STUDY, Device, events, job

from dicom_node.pipeline import infer as module
from dicom_node.pipeline.infer import Infer
from storage.database import Database
from storage.errors import Unavailable
from storage.files.folder_archive import FolderArchive
from storage.lifecycle import JobState
from storage.records import Job


def test_a_disk_without_room_for_scratch_costs_no_attempt(
    infer: Infer, database: Database, queue: Callable[..., Job]
) -> None:
    queue()
    infer.scratch.write_text("a file is in the way")
    with pytest.raises(Unavailable, match="disk failed"):
        infer.step(50.0)
    found = job(database)
    assert (found.state, found.crashes, found.lease_owner) == (JobState.PENDING, 0, None)


def test_a_job_whose_file_cannot_be_read_lets_the_others_go_first(
    infer: Infer, database: Database, queue: Callable[..., Job], device: Device
) -> None:
    queue(priority=90)
    device.fault = Unavailable("the archive's disk failed: Input/output error")
    with pytest.raises(Unavailable):
        infer.step(50.0)
    with database.transaction() as tx:
        other = replace(tx.jobs.of_study(STUDY)[0], job_id="b" * 64, priority=0, task="lung_nodule", attempts=0)
        tx.jobs.add(other)
    device.fault = None
    assert infer.step(51.0)
    with database.reading() as tx:
        assert [tx.jobs.get(one * 64).state for one in "ab"] == [JobState.PENDING, JobState.DONE]
    assert infer.step(52.0), "where no other waits it is tried at once"
    assert not infer.step(53.0)


def test_where_no_result_can_be_stored_none_is_computed(
    infer: Infer, database: Database, queue: Callable[..., Job], device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an archive that is mounted read-only each job would take the GPU again and again, until somebody sees it."""
    queue()
    told = os.statvfs(infer.archive.root)  # type: ignore[attr-defined]
    read_only = os.statvfs_result((*told[:8], told.f_flag | os.ST_RDONLY, told.f_namemax))
    with monkeypatch.context() as patched:
        patched.setattr(os, "statvfs", lambda _: read_only)
        for now in (50.0, 52.0):
            with pytest.raises(Unavailable, match="is mounted read-only"):
                infer.step(now)
    assert device.asked == []
    assert (job(database).attempts, job(database).lease_owner) == (0, None)
    assert infer.step(60.0)
    assert job(database).state is JobState.DONE


@pytest.mark.parametrize("call", ["local", "write"])
@pytest.mark.parametrize(("times", "state"), [(2, JobState.DONE), (99, JobState.PENDING)])
def test_an_archive_without_an_answer_is_waited_for_and_costs_no_crash(
    infer: Infer, database: Database, queue: Callable[..., Job], device: Device, monkeypatch: pytest.MonkeyPatch,
    call: str, times: int, state: JobState,
) -> None:  # fmt: skip
    """What was computed is not lost by a short outage; in a long one the job goes back into the queue."""
    queue()
    answers, asked = getattr(FolderArchive, call), []

    def away(*said: Any, **more: Any) -> Any:
        asked.append(call)
        if len(asked) <= times:
            raise Unavailable("s3://bucket does not answer")
        return answers(*said, **more)

    monkeypatch.setattr(FolderArchive, call, away)
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    monkeypatch.setattr(module, "TRY_AGAIN_S", 0.01)
    if state is JobState.DONE:
        assert infer.step(50.0)
    else:
        with pytest.raises(Unavailable):
            infer.step(50.0)
        assert events(database)[-1] == "waits"
    found = job(database)
    assert (found.state, found.crashes, found.lease_owner) == (state, 0, None)
    assert len(device.asked) == (0 if (call, state) == ("local", JobState.PENDING) else 1)
