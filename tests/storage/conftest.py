"""Both databases, fresh for each test, and makers of plausible records."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from private_postgres import running_postgres

from storage.archive import Archive
from storage.database import Database
from storage.files.folder_archive import FolderArchive
from storage.lifecycle import JobState
from storage.records import Instance, InstanceKind, Job, ResultObject, StoredFile
from storage.sql.tables_people import metadata

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
STUDY = "1.2.826.0.1.1"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str], str]]:
    """A private PostgreSQL; `postgres(name)` gives a database's URL."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def fresh_postgres(postgres: Callable[[str], str]) -> Callable[[], str]:
    """Gives the URL of a new empty database each time."""
    import psycopg

    numbers = itertools.count()

    def make() -> str:
        name = f"test_{next(numbers)}"
        with psycopg.connect(postgres("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        return postgres(name)

    return make


@pytest.fixture(scope="session")
def migrated_postgres(fresh_postgres: Callable[[], str]) -> Callable[[], str]:
    """Gives the URL of one database with the newest schema, emptied each time; a new one would take long."""
    import psycopg

    url = fresh_postgres()
    Database.open(url).close()

    def empty() -> str:
        with psycopg.connect(url) as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(f"DELETE FROM {table.name}")
        return url

    return empty


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for a database, where none is yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/node.db"
    return request.getfixturevalue("fresh_postgres")()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the newest schema and nothing in it."""
    if request.param == "sqlite":
        return request.getfixturevalue("empty_sqlite")(tmp_path / "node.db")
    return request.getfixturevalue("migrated_postgres")()


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    database = Database.open(url)
    yield database
    database.close()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return FolderArchive(tmp_path / "archive", low_water_bytes=0)


@pytest.fixture
def make_instance() -> Callable[..., Instance]:
    """An MR image, number `number` of its series; everything can be said otherwise."""

    def make(number: int = 1, *, content: str = "pixels", **other: Any) -> Instance:
        study = other.get("study_instance_uid", STUDY)
        series = other.get("series_instance_uid", f"{study}.1")
        uid = other.get("sop_instance_uid", f"{series}.{number}")
        facts: dict[str, Any] = {
            "sop_instance_uid": uid,
            "sop_class_uid": MR_IMAGE,
            "series_instance_uid": series,
            "study_instance_uid": study,
            "transfer_syntax_uid": EXPLICIT_LITTLE,
            "kind": InstanceKind.IMAGE,
            "file": StoredFile(f"{uid}.dcm", 1000, hashlib.sha256(f"{uid} {content}".encode()).hexdigest()),
            "received_at": 100.0 + number,
            "association_id": "association-1",
            "header": {"Modality": "MR", "InstanceNumber": number},
        }
        return Instance(**facts | other)

    return make


@pytest.fixture
def make_job() -> Callable[..., Job]:
    """A brain job of the study; everything can be said otherwise."""

    def make(job_id: str = "job-1", **other: Any) -> Job:
        facts: dict[str, Any] = {
            "study_instance_uid": STUDY,
            "generation": 1,
            "route": "brain",
            "task": "brain_tumour",
            "model": "brain_small",
            "state": JobState.PENDING,
            "priority": 0,
            "inputs": {"T1": {"series": f"{STUDY}.1", "instances": [f"{STUDY}.1.1"]}},
            "parameters": {"destinations": ["pacs"]},
            "created_at": 200.0,
        }
        return Job(job_id=job_id, **facts | other)

    return make


@pytest.fixture
def make_result() -> Callable[..., ResultObject]:
    """A segmentation that a job made."""

    def make(uid: str = "2.25.1", job_id: str = "job-1", kind: str = "seg") -> ResultObject:
        file = StoredFile(f"{uid}.dcm", 5000, hashlib.sha256(uid.encode()).hexdigest())
        return ResultObject(uid, SEGMENTATION, f"{uid}.0", job_id, kind, file)

    return make


@pytest.fixture
def study(db: Database, make_instance: Callable[..., Instance]) -> str:
    """A study of one image, RECEIVING since 101 s; its UID."""
    with db.transaction() as tx:
        tx.studies.add_instance(make_instance(), {"PatientID": "P-1"})
    return STUDY


@pytest.fixture
def job(db: Database, study: str, make_job: Callable[..., Job]) -> Job:
    """A job of that study, PENDING."""
    with db.transaction() as tx:
        tx.jobs.add(make_job())
    return make_job()
