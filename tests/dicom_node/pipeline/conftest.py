"""A database with a study in it, and time that is turned by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import ask, earlier, hand, pacs, settle  # noqa: F401 (fixtures of test_recall and test_bring)
from delivering import clock, deliver, look, peer, result, step  # noqa: F401 (fixtures of test_deliver*)
from dispatching import dispatch, scan  # noqa: F401 (fixtures of test_dispatch*)
from empty_sqlite import EmptySqlite
from fetching import arrive_fetched, let_settle, source, stage  # noqa: F401 (fixtures of test_fetch*)
from inferring import device, infer  # noqa: F401 (fixtures of test_infer*)
from reviewing import scene, send_back  # noqa: F401 (fixtures of test_review*)

from storage.archive import Archive
from storage.database import Database
from storage.files.folder_archive import FolderArchive
from storage.lifecycle import JobState, StudyState
from storage.records import Instance, InstanceKind, Job, StoredFile

STUDY = "1.2.3"
SERIES = "1.2.3.1"


@pytest.fixture
def database(tmp_path: Path, empty_sqlite: EmptySqlite) -> Iterator[Database]:
    opened = Database.open(empty_sqlite(tmp_path / "node.db"))
    yield opened
    opened.close()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return FolderArchive(tmp_path / "archive")


@pytest.fixture
def arrive(database: Database, archive: Archive) -> Callable[..., None]:
    """`arrive(number, now)` stores one image of the study."""

    def add(
        number: int, now: float, kind: InstanceKind = InstanceKind.IMAGE, series: str = SERIES, study: str = STUDY,
        **header: Any,
    ) -> None:  # fmt: skip
        uid = f"{series}.{number}"
        file: StoredFile = archive.write(study, uid, [b"pixels of " + uid.encode()])
        instance = Instance(
            uid, "1.2.840.10008.5.1.4.1.1.2", series, study, "1.2.840.10008.1.2.1", kind, file, now, "", header
        )
        with database.transaction() as tx:
            tx.studies.add_instance(instance)

    return add


@pytest.fixture
def queue(database: Database, arrive: Callable[..., None]) -> Callable[..., Job]:
    """`queue()` puts a job over three stored images into the queue."""

    def add(job_id: str = "a" * 64, **changes: Any) -> Job:
        for number in (1, 2, 3):
            arrive(number, 10.0)
        values: dict[str, Any] = {
            "job_id": job_id,
            "study_instance_uid": STUDY,
            "generation": 1,
            "route": "liver",
            "task": "liver_tumour",
            "model": "liver",
            "state": JobState.PENDING,
            "priority": 0,
            "inputs": {"CT": {"series": SERIES, "instances": [f"{SERIES}.{n}" for n in (1, 2, 3)]}},
            "parameters": {"model": {"kind": "threshold"}, "destinations": ["pacs"], "outputs": ["seg", "sr"]},
            "created_at": 20.0,
        } | changes
        job = Job(**values)
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.COMPLETE, 20.0)
            tx.studies.move(STUDY, StudyState.DISPATCHED, 20.0)
            tx.jobs.add(job)
        return job

    return add
