"""A phantom under new UIDs: consistent in itself, the same patient, the same voxels."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from commissioned import PATIENT, small_case
from pydicom import dcmread

from dicom_node.commissioning.fresh import fresh
from inference.phantom import write_study

MOMENT = datetime(2026, 11, 26, 11, 30, 5, tzinfo=UTC)


def test_every_uid_is_another_and_all_agree(tmp_path: Path) -> None:
    case = small_case()
    again = fresh(case, MOMENT)
    studies = {"before": case, "after": again}
    old, new = ([dcmread(path) for path in write_study(one, tmp_path / name)] for name, one in studies.items())
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        assert not {str(ds[keyword].value) for ds in old} & {str(ds[keyword].value) for ds in new}, keyword
    assert len({ds.StudyInstanceUID for ds in new}) == len({ds.FrameOfReferenceUID for ds in new}) == 1
    assert {(ds.PatientID, str(ds.PatientName)) for ds in new} == {(PATIENT.patient_id, PATIENT.name)}
    assert {(ds.StudyDate, ds.StudyTime) for ds in new} == {("20261126", "113005")}
    assert np.array_equal(again.volumes["CT"].array, case.volumes["CT"].array)


def test_the_same_moment_gives_the_same_study() -> None:
    first, second = (fresh(small_case(), MOMENT).acquisitions["CT"] for _ in range(2))
    assert first == second
