"""What every object that this house writes keeps, whatever its IOD."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_node.objects.checker import dciodvfy
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.encode import Encoded, encode
from dicom_node.objects.identity import device_uid
from inference import codes
from inference.findings import Finding, IntendedUse, Measurement, ModelIdentity, Result, Structure
from inference.readers.dicom import read_series
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

KINDS = ("seg", "sr", "summary")
MODEL = ModelIdentity("nodule-net", "3.0", "cd" * 32, "Segnode", IntendedUse.RESEARCH)
NODULE = Structure(1, "Nodule", codes.ABNORMAL_STRUCTURE, codes.NODULE, codes.LUNG, (255, 255, 0), True)
CONTEXT = EncodeContext(created_at=1_763_900_000.0)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, list[Path]]:
    folder = tmp_path_factory.mktemp("contract")
    grid = Grid((6, 16, 16), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2.0, 1.0, 1.0)))
    truth = np.zeros(grid.shape, np.uint8)
    truth[2:4, 5:9, 6:10] = 1
    files = write_series(Volume(truth * 900.0 - 900.0, grid, "HU"), Acquisition.ct(StudyDetails.of("c")), folder)
    read = read_series(files)
    np.save(folder / "labels.npy", truth)
    nodule = Finding(1, "Nodule 1", NODULE, (Measurement(codes.VOLUME, 0.064, codes.MILLILITRE),), int(truth.sum()),
                     0.064, laterality=codes.RIGHT)
    result = Result("lung_nodule", MODEL, read.grid, "CT", folder / "labels.npy", (nodule,),
                    sources={"CT": read.sources})
    return result, files


@pytest.fixture(scope="module")
def made(job: tuple[Result, list[Path]]) -> dict[str, Encoded]:
    result, files = job
    return {e.kind: e for e in encode(result, "job", {"CT": files}, CONTEXT)}


@pytest.fixture(params=KINDS)
def item(request: pytest.FixtureRequest, made: dict[str, Encoded]) -> Encoded:
    return made[request.param]


@pytest.fixture
def ds(item: Encoded) -> Dataset:
    return dcmread(BytesIO(item.part10))


def test_every_kind_is_made(made: dict[str, Encoded]) -> None:
    assert tuple(made) == KINDS


def test_a_rerun_writes_the_same_bytes(item: Encoded, job: tuple[Result, list[Path]]) -> None:
    result, files = job
    again = {e.kind: e for e in encode(result, "job", {"CT": files}, CONTEXT)}
    assert again[item.kind].part10 == item.part10


def test_it_is_alone_in_its_series(item: Encoded, made: dict[str, Encoded], job: tuple[Result, list[Path]]) -> None:
    series = [e.series_instance_uid for e in made.values()] + [str(dcmread(job[1][0]).SeriesInstanceUID)]
    assert series.count(item.series_instance_uid) == 1


def test_its_uids_are_valid(ds: Dataset) -> None:
    assert all(UID(ds[keyword].value).is_valid for keyword in ("SOPInstanceUID", "SeriesInstanceUID"))


def test_it_is_explicit_little_endian(ds: Dataset) -> None:
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_it_belongs_to_the_patient_and_study_of_its_source(ds: Dataset, job: tuple[Result, list[Path]]) -> None:
    source = dcmread(job[1][0])
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate",
                    "StudyTime", "StudyID", "AccessionNumber"):
        assert ds[keyword].value == source[keyword].value


def test_its_dates_are_the_jobs(ds: Dataset) -> None:
    moment = CONTEXT.moment
    for keyword in ("InstanceCreationDate", "SeriesDate", "ContentDate"):
        assert ds[keyword].value == moment.date
    for keyword in ("InstanceCreationTime", "SeriesTime", "ContentTime"):
        assert ds[keyword].value == moment.time


def test_it_is_marked(ds: Dataset) -> None:
    assert ds.SeriesDescription.startswith("RESEARCH: ")
    assert "Not for clinical use" in str(ds)


def test_it_names_the_model_as_processing_equipment(ds: Dataset) -> None:
    (equipment,) = [e for e in ds.ContributingEquipmentSequence if e.get("DeviceUID") == device_uid(MODEL)]
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert (equipment.Manufacturer, equipment.ManufacturerModelName, equipment.SoftwareVersions) == (
        MODEL.manufacturer, MODEL.name, MODEL.version)


def test_the_iod_checker_finds_no_error(item: Encoded) -> None:
    assert shutil.which("dciodvfy"), "dciodvfy is missing: install the Debian package dicom3tools"
    assert dciodvfy(item.part10) == ()
