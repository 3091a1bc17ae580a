"""What a test of inferring needs: a device that answers as it is told, the stage, and what became of its job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from dicom_node.destinations import FolderDestination
from dicom_node.objects.encode import Encoded
from dicom_node.objects.profile import Profile
from dicom_node.pipeline.infer import Infer, InferLimits
from inference.findings import IntendedUse, ModelIdentity, Result
from inference.request import Request
from inference.volume import Grid
from storage.archive import Archive
from storage.database import Database
from storage.records import Job

STUDY = "1.2.3"
MODEL = ModelIdentity("liver", "1", "ab", "us", IntendedUse.DEMONSTRATION)


@dataclass
class Device:
    """An executor that answers as it is told."""

    fault: Exception | None = None
    asked: list[Request] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def run(self, request: Request, report: Callable[[float, str], None]) -> Result:
        self.asked.append(request)
        report(0.5, "network")
        self.meanwhile()
        if self.fault:
            raise self.fault
        return Result("liver_tumour", MODEL, Grid((1, 1, 1), np.eye(4)), "CT", request.scratch / "mask.npy", ())


def encode(job: Job, result: Result, files: Mapping[str, Sequence[Path]]) -> tuple[Encoded, ...]:
    assert all(path.exists() for path in files["CT"])
    return (Encoded(kind="sr", sop_instance_uid="2.25.1", sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
                    series_instance_uid="2.25.2", part10=b"a report"),)


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def infer(database: Database, archive: Archive, device: Device, tmp_path: Path) -> Infer:
    return Infer(
        database=database,
        archive=archive,
        executor=device,  # type: ignore[arg-type]
        encode=encode,
        destinations={
            "pacs": FolderDestination(kind="folder", path=tmp_path, accepts=(IntendedUse.DEMONSTRATION,)),
            "ward": FolderDestination(kind="folder", path=tmp_path, profile=Profile(seg="labelmap")),
        },
        limits=InferLimits(lease_term_s=60, time_limit_s=120, max_crashes=2),
        scratch=tmp_path / "scratch",
        owner="me",
        clock=lambda: 100.0,
    )


def job(database: Database) -> Job:
    with database.reading() as tx:
        return tx.jobs.of_study(STUDY)[0]


def events(database: Database) -> list[str]:
    with database.reading() as tx:
        return [entry.event for entry in tx.journal.of_study(STUDY)]
