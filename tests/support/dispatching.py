"""What a test of dispatching needs: one route, CT slices that arrive, and what may befall them afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dicom_node.pipeline.dispatch import Dispatch
from dicom_node.pipeline.installed import InstalledModel
from dicom_node.routing.route import Routing
from inference.findings import IntendedUse, ModelIdentity
from storage.arriving.rejections import Rejection
from storage.database import Database
from storage.lifecycle import JobMark, StudyState
from storage.records import Job

STUDY = "1.2.3"
ROUTING = Routing.model_validate(
    {
        "routes": [
            {
                "name": "liver",
                "when": {"kind": "modality", "any_of": ["CT"]},
                "select": {"kind": "one_series", "role": "CT"},
                "task": "liver_tumour",
                "model": "liver",
                "destinations": ["pacs"],
            }
        ]
    }
)


def image(number: int, series: str = "1.2.3.1", **changes: object) -> dict[str, object]:
    return {
        "Modality": "CT",
        "SeriesInstanceUID": series,
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImagePositionPatient": [-150.0, -150.0, 3.0 * number],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.8, 0.8],
        "SliceThickness": 3.0,
        "Rows": 512,
        "Columns": 512,
        "InstanceNumber": number,
        "FrameOfReferenceUID": "1.2.9",
        "ConvolutionKernel": "B30f",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
    } | changes


@pytest.fixture
def dispatch(database: Database) -> Dispatch:
    identity = ModelIdentity("liver", "1", "ab", "us", IntendedUse.DEMONSTRATION)
    model = InstalledModel("liver", "liver_tumour", {"kind": "threshold"}, identity)
    return Dispatch(database, ROUTING, {"liver": model}, revision=4)


@pytest.fixture
def scan(arrive: Callable[..., None], database: Database) -> Callable[..., None]:
    """`scan(first, last)` lets CT slices arrive and the study settle."""

    def run(first: int, last: int, now: float = 10.0, **header: object) -> None:
        for number in range(first, last + 1):
            arrive(number, now, **image(number, **header))
        settle(database, now)

    return run


def settle(database: Database, now: float) -> None:
    with database.transaction() as tx:
        if tx.studies.get(STUDY).state is StudyState.RECEIVING:
            tx.studies.move(STUDY, StudyState.COMPLETE, now)


def jobs(database: Database) -> list[Job]:
    with database.reading() as tx:
        return tx.jobs.of_study(STUDY)


def state(database: Database) -> StudyState:
    with database.reading() as tx:
        return tx.studies.get(STUDY).state


def mark(database: Database, mark: JobMark) -> None:
    (job,) = jobs(database)
    with database.transaction() as tx:
        tx.jobs.mark(job.job_id, mark)


def correct(database: Database, number: int, name: str = "ab") -> None:
    """Give an image a corrected header that results copy."""
    with database.transaction() as tx:
        old = tx.versions.current(f"1.2.3.1.{number}")
        new = replace(old, file=replace(old.file, sha256=name))
        tx.studies.add_instance(new)
        tx.versions.correct(old, new, {}, copied=True)
        tx.studies.reopen(STUDY, 30.0)
    settle(database, 30.0)


def reject(database: Database, number: int) -> None:
    with database.transaction() as tx:
        tx.rejections.add([Rejection(f"1.2.3.1.{number}", "2.25.9", STUDY, "113001", 30.0)])
        tx.studies.reopen(STUDY, 30.0)
    settle(database, 30.0)
