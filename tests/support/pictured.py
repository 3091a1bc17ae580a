"""A study on disk whose SEG has pictures: a fixture for the tests of the console."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.assembly import Parts
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.encode import encode
from inference.findings import IntendedUse, ModelIdentity, Result
from inference.measure import measure_findings
from inference.readers.dicom import read_series
from inference.tasks import TASKS
from storage.lifecycle import JobState
from storage.records import Instance, InstanceKind, Job, ResultObject, StoredFile

LIVER_PIXELS = (slice(8, 24), slice(8, 24))
PLACE = "/studies/{study}/pictures/{sop}"


@pytest.fixture
def place(parts: Parts, make_slices, tmp_path, request) -> str:
    """The address of the pictures of a liver on the second and third of four slices; parameters change the images."""
    files = make_slices(4, **getattr(request, "param", {}))
    series = read_series(files)
    labels = np.zeros(series.grid.shape, np.uint8)
    labels[1][LIVER_PIXELS] = 1
    labels[2][8:12, 8:12] = 1
    measured = measure_findings(labels, TASKS["liver_tumour"].structures, series)
    np.save(tmp_path / "labels.npy", measured.labelmap)
    result = Result(
        task="liver_tumour", model=ModelIdentity("m", "1", "ab" * 32, "Segnode", IntendedUse.DEMONSTRATION),
        grid=series.grid, primary_role="CT", labelmap=tmp_path / "labels.npy", findings=measured.findings,
        sources={"CT": series.sources},
    )  # fmt: skip
    context = EncodeContext(created_at=1_763_900_000.0, dciodvfy=False)
    seg = next(one for one in encode(result, "job", {"CT": files}, context) if one.kind == "seg")
    return _kept(parts, files, seg.part10)


def _kept(parts: Parts, files: list[Path], seg: bytes) -> str:
    header = dcmread(files[0], stop_before_pixels=True)
    study, series = str(header.StudyInstanceUID), str(header.SeriesInstanceUID)
    root = parts.archive.root
    uids = []
    with parts.database.transaction() as tx:
        for file in files:
            (root / file.name).write_bytes(file.read_bytes())
            uid = str(dcmread(file, stop_before_pixels=True).SOPInstanceUID)
            stored = StoredFile(file.name, 1, uid)
            instance = Instance(uid, str(header.SOPClassUID), series, study, "1.2.840.10008.1.2.1",
                                InstanceKind.IMAGE, stored, 100.0, "a")
            tx.studies.add_instance(instance, {"PatientName": "Doe^Jane"})
            uids.append(uid)
        (root / "seg.dcm").write_bytes(seg)
        sop = str(dcmread(io.BytesIO(seg), stop_before_pixels=True).SOPInstanceUID)
        inputs = {"CT": {"series": series, "instances": uids}}
        tx.jobs.add(Job("job", study, 1, "r", "liver_tumour", "m", JobState.PENDING, 0, inputs, {}, 110.0))
        tx.jobs.claim("me", 111.0, 60.0)
        tx.jobs.finish("job", "me", JobState.DONE, 120.0)
        tx.results.add(ResultObject(sop, "1.2.840.10008.5.1.4.1.1.66.4", "2.25.1", "job", "seg",
                                    StoredFile("seg.dcm", 1, "seg")))
    return PLACE.format(study=study, sop=sop)
