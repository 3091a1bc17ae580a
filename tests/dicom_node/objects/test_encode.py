"""A result becomes objects: which, how often the same, and what is said when they cannot be made."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.errors import ResultInvalid
from dicom_node.objects.encode import encode
from dicom_node.objects.identity import IMPLEMENTATION_CLASS_UID, JobNames
from inference.volume import Volume
from inference.writers.dicom_series import Acquisition, Encoding, StudyDetails, write_series


def test_a_result_with_findings_gives_seg_measurements_and_summary(make_case) -> None:
    case = make_case()
    assert [e.kind for e in encode(case.result, "job", case.files, case.context)] == ["seg", "sr", "summary"]


def test_the_same_job_gives_the_same_bytes(make_case) -> None:
    case = make_case()
    once, again = (encode(case.result, "job", case.files, case.context) for _ in range(2))
    assert [e.part10 for e in once] == [e.part10 for e in again]


def test_another_job_gives_other_uids(make_case) -> None:
    case = make_case()
    uids = [e.sop_instance_uid for job in ("a", "b") for e in encode(case.result, job, case.files, case.context)]
    assert len(set(uids)) == 6


def test_what_is_said_beside_the_file_is_what_it_holds(make_case) -> None:
    case = make_case()
    for item in encode(case.result, "job", case.files, case.context):
        ds = dcmread(BytesIO(item.part10))
        assert item.sop_instance_uid == ds.SOPInstanceUID == JobNames("job").instance(item.kind)
        assert item.series_instance_uid == ds.SeriesInstanceUID
        assert item.sop_class_uid == ds.SOPClassUID
        assert ds.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID


@pytest.mark.parametrize("encoding", [Encoding(), Encoding(enhanced=True)], ids=["single", "enhanced"])
def test_the_iod_checker_has_no_remark(encoding: Encoding, make_case, tool) -> None:
    tool("dciodvfy", succeeds=False)
    case = make_case(encoding=encoding)
    made = encode(case.result, "job", case.files, replace(case.context, dciodvfy=True))
    assert [e.warnings for e in made] == [(), (), ()]


def test_a_model_that_is_named_in_another_script_gives_objects_that_hold(make_case, tool) -> None:
    tool("dciodvfy", succeeds=False)
    case = make_case()
    model = replace(case.result.model, name="肝臓ネット", manufacturer="北京医院")
    made = encode(replace(case.result, model=model), "job", case.files, replace(case.context, dciodvfy=True))
    assert [e.warnings for e in made] == [(), (), ()]


def test_several_roles_are_evidence_but_one_series_is_segmented(make_case, tmp_path) -> None:
    case = make_case()
    other = write_series(Volume(np.zeros(case.result.grid.shape, np.float32), case.result.grid, "HU"),
                         Acquisition.ct(StudyDetails.of("objects"), "second"), tmp_path / "second")
    uids = [str(dcmread(p).SOPInstanceUID) for p in other]
    sources = {**case.result.sources, "second": tuple(replace(case.result.sources["CT"][0], sop_instance_uid=uid)
                                                      for uid in uids)}
    seg, sr, _ = (dcmread(BytesIO(e.part10)) for e in encode(
        replace(case.result, sources=sources), "job", {**case.files, "second": other}, case.context))
    assert len(seg.ReferencedSeriesSequence) == 1
    (study,) = sr.CurrentRequestedProcedureEvidenceSequence
    assert len(study.ReferencedSeriesSequence) == 3  # both sources and the SEG


def test_a_mask_of_another_size_is_refused(make_case) -> None:
    case = make_case()
    np.save(case.result.labelmap, case.labels[:-1])
    with pytest.raises(ResultInvalid, match="does not lie on 9 source slices"):
        encode(case.result, "job", case.files, case.context)


def test_a_fault_of_the_header_is_told_without_its_value(make_case) -> None:
    case = make_case()
    for path in case.files["CT"]:
        ds = dcmread(path)
        del ds.PixelSpacing
        ds.PatientName = "Unmistakable^Name"
        ds.save_as(path)
    with pytest.raises(ResultInvalid, match="PixelSpacing") as error:
        encode(case.result, "job", case.files, case.context)
    assert "Unmistakable" not in str(error.value)
