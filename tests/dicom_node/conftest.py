"""Small studies for the tests of the node."""

import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from audit_schema import read
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from dicom_node.assembly import Parts, assemble, audit_spool
from dicom_node.settings import load
from storage.deliveries import Setback
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobState, StudyState
from storage.records import Instance, InstanceKind, Job, ResultObject, StoredFile

NODE = """
ae_title: SEGNODE
host: 127.0.0.1
data_folder: data
devices: [cpu]
lease_term_s: 5
destinations:
  share: {kind: folder, path: results}
"""
MODELS = "models:\n  bright: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000}\n"
ROUTES = """
routes:
  - name: everything
    when: {kind: volume}
    select: {kind: one_series, role: CT}
    task: liver_tumour
    model: bright
    outputs: [seg]
    destinations: [share]
"""


def ct_slice(number: int, study: str, series: str) -> Dataset:
    """A CT image with the attributes that a scanner sends, 32 × 32, every value a different one."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = CTImageStorage
    data.SOPInstanceUID = f"{series}.{number}"
    data.StudyInstanceUID, data.SeriesInstanceUID = study, series
    data.FrameOfReferenceUID = f"{study}.9"
    data.PatientID, data.PatientName, data.PatientBirthDate, data.PatientSex = "P-17", "Doe^Jane", "19700101", "F"
    data.StudyDate, data.StudyTime, data.AccessionNumber, data.StudyID = "20260102", "101500", "A1", "1"
    data.ReferringPhysicianName, data.Manufacturer, data.Modality = "", "ACME", "CT"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.SeriesNumber, data.AcquisitionNumber, data.InstanceNumber = 2, 1, number
    data.SeriesDescription, data.BodyPartExamined, data.PatientPosition = "Chest 2.0", "CHEST", "HFS"
    data.KVP, data.PositionReferenceIndicator = 120, ""
    data.ImagePositionPatient = [-16.0, -16.0, 2.0 * number]
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [1.0, 1.0], 2.0
    data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, -1024, "HU"
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit = 32, 32, 16, 12, 11
    rng = np.random.default_rng(number)
    data.PixelData = rng.integers(0, 4096, (32, 32), dtype=np.uint16).tobytes()
    return data


@pytest.fixture
def make_slices(tmp_path) -> Callable[..., list[Path]]:
    """Writes a CT series of `count` slices as files; keyword arguments replace attributes."""

    def make(count: int = 3, **changes: object) -> list[Path]:
        study = generate_uid()[:44] + "1"
        series = f"{study}.1"
        folder = tmp_path / "made" / series
        folder.mkdir(parents=True)
        paths = []
        for number in range(1, count + 1):
            data = ct_slice(number, study, series)
            for keyword, value in changes.items():
                setattr(data, keyword, value)
            paths.append(folder / f"{number:03}.dcm")
            dcmwrite(paths[-1], data, enforce_file_format=True)
        return paths

    return make


@pytest.fixture
def ct_series(make_slices) -> list[Path]:
    """Three CT slices of one series as files."""
    return make_slices(3)


@pytest.fixture
def conf(tmp_path) -> Path:
    """A small valid configuration: one model without weights, one route, results into a folder."""
    folder = tmp_path / "conf"
    folder.mkdir()
    for name, text in (("node", NODE), ("models", MODELS), ("routes", ROUTES)):
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture
def parts(conf, empty_sqlite) -> Iterator[Parts]:
    """The storage of a node with that configuration."""
    settings = load(conf)
    empty_sqlite(settings.node.data_folder / "segnode.sqlite")
    parts = assemble(settings)
    yield parts
    parts.close()


@pytest.fixture
def audited(parts) -> Callable[[], list[Element]]:
    """The messages of that node's audit trail, each checked; `parts` itself tells no more once they are read."""

    def read_all() -> list[Element]:
        parts.audit.close()
        return [read(message.path.read_bytes()) for message in audit_spool(parts.settings).waiting()]

    return read_all


@pytest.fixture
def story(parts) -> Parts:
    """Two studies: 1.2.3 was dispatched, and its jobs and deliveries ended in every way; no route wanted 1.2.4.

    Whoever sent 1.2.3 writes markup and terminal controls where texts are allowed.
    """
    with parts.database.transaction() as tx:
        for study in ("1.2.3", "1.2.4"):
            header = {"SeriesDescription": "[/bold]Liver\x1b[2J", "SeriesNumber": "[2]", "Modality": "[CT]"}
            file = StoredFile(f"ab/{study}.dcm", 10, study)
            tx.associations.open(f"a-{study}", "receive", "[/CT1]", "SEGNODE", "10.0.0.1", 100.0, 60.0)
            tx.studies.add_instance(
                Instance(f"{study}.1.1", CTImageStorage, f"{study}.1", study, ExplicitVRLittleEndian,
                         InstanceKind.IMAGE, file, 100.0, f"a-{study}", header),
                {"PatientName": "Doe^Jane", "PatientID": "P-17", "PatientBirthDate": "19700101"},
            )
            tx.associations.close(f"a-{study}", 101.0)
            tx.studies.move(study, StudyState.COMPLETE, 110.0)
        tx.studies.move("1.2.3", StudyState.DISPATCHED, 111.0)
        tx.studies.move("1.2.4", StudyState.NOT_ROUTED, 112.0)
        for study, ok in (("1.2.3", True), ("1.2.4", False)):
            tx.journal.add(111.0, "verdict", "slices are [axial]", study=study, series=f"{study}.1",
                           revision=1, detail={"route": "everything", "ok": ok})
        for number, state in enumerate((JobState.DONE, JobState.FAILED, JobState.REFUSED, JobState.PENDING)):
            _end_job(tx, f"job-{number}", state, 120.0 + number)
        tx.journal.add(130.0, "done", "2 findings, 1 objects", study="1.2.3", job="job-0", revision=1)
        tx.results.add(ResultObject("2.25.7", "1.2.840.10008.5.1.4.1.1.66.4", "2.25.8", "job-0", "seg",
                                    StoredFile("ab/seg.dcm", 10, "seg")))
        tx.deliveries.add("job-0", "1.2.3", "held", DeliveryState.HELD, 130.0, "it accepts [clinical]")
        for name in ("dead", "sent"):
            number = tx.deliveries.add("job-0", "1.2.3", name, DeliveryState.PENDING, 130.0)
            tx.outbox.claim(Sender(name), "deliver", 131.0, 5.0)
            if name == "dead":
                tx.deliveries.dead(number, "deliver", 132.0, Setback("given up after 12 attempts"))
            else:
                tx.deliveries.sent(number, "deliver", 132.0, {"2.25.7": "0x0000"})
    return parts


def _end_job(tx, job_id: str, state: JobState, now: float) -> None:
    tx.jobs.add(Job(job_id, "1.2.3", 1, "everything", "liver_tumour", "bright", JobState.PENDING, 0,
                    {"CT": {"series": "1.2.3.1", "instances": ["1.2.3.1.1"]}}, {}, now))
    if state is JobState.PENDING:
        return
    tx.jobs.claim("infer", now, 60.0)
    reason = "" if state is JobState.DONE else f"a reason to be {state.lower()}"
    summary = {"seconds": {"read": 1.5}, "device": "cpu", "findings": [{"label": "Liver", "ml": 12.5, "voxels": 9}],
               "totals": {"whole": 12.5}, "notes": ["CT: [one] note"]}
    tx.jobs.finish(job_id, "infer", state, now + 5.0, reason, summary if state is JobState.DONE else None)


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """The logging of a test that sets it up ends with it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in ("pydicom", "pynetdicom", "dicom_node.quiet")}
    with warnings.catch_warnings():
        yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)
