"""dciodvfy's verdict: errors of ours hold an object back, what came with the images does not."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_node.errors import ResultInvalid
from dicom_node.objects import checker
from dicom_node.objects.encode import encode
from dicom_node.objects.finish import part10


@pytest.fixture
def seg(make_case):
    case = make_case()
    made = encode(case.result, "job", case.files, case.context)
    return dcmread(BytesIO(made[0].part10))


def test_an_error_of_ours_is_raised(seg, tool) -> None:
    tool("dciodvfy", succeeds=False)
    del seg.ContentLabel
    with pytest.raises(ResultInvalid, match="ContentLabel"):
        checker.dciodvfy(part10(seg))


def test_an_error_that_came_with_the_images_is_a_remark_without_its_value(seg, tool) -> None:
    tool("dciodvfy", succeeds=False)
    seg.PatientAge = "unmistakable"
    (remark,) = [r for r in checker.dciodvfy(part10(seg)) if "PatientAge" in r]
    assert "unmistakable" not in remark


@pytest.mark.parametrize("keyword", [
    "AdmittingDiagnosesCodeSequence", "IssuerOfAccessionNumberSequence", "ProcedureCodeSequence",
    "ReasonForPerformedProcedureCodeSequence", "ReferencedPatientSequence", "ReferencedStudySequence",
    "ReferringPhysicianIdentificationSequence",
])
def test_nor_does_an_item_without_what_it_should_hold(keyword: str, seg, tool) -> None:
    tool("dciodvfy", succeeds=False)
    setattr(seg, keyword, [Dataset()])
    assert any(keyword in r for r in checker.dciodvfy(part10(seg)))


@pytest.mark.parametrize(("keyword", "value"), [("InstitutionAddress", "a\ttab"),
                                                ("ContributionDateTime", "20250401 101600"),
                                                ("DeviceSerialNumber", ["1", "2"])])
def test_nor_does_what_is_said_of_the_equipment_that_acquired_them(keyword: str, value: str, seg, tool) -> None:
    tool("dciodvfy", succeeds=False)
    setattr(seg.ContributingEquipmentSequence[0], keyword, value)
    assert any(keyword in r for r in checker.dciodvfy(part10(seg)))


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "FrameOfReferenceUID"])
def test_nor_does_a_uid_as_old_scanners_write_it(keyword: str, seg, tool) -> None:
    tool("dciodvfy", succeeds=False)
    setattr(seg, keyword, "1.2.03.4")
    assert any(keyword in r for r in checker.dciodvfy(part10(seg)))


def test_a_text_of_several_lines_is_no_error_and_not_told(seg, tool) -> None:
    tool("dciodvfy", succeeds=False)
    seg.PatientComments = "unmistakable\tone\r\nError unmistakable two\r\nWarning unmistakable three"
    remarks = checker.dciodvfy(part10(seg))
    assert any("PatientComments" in r for r in remarks)
    assert not any("unmistakable" in r for r in remarks)


def test_an_attribute_that_the_images_lack_is_a_remark(seg, tool) -> None:
    tool("dciodvfy", succeeds=False)
    seg.PatientIdentityRemoved = "YES"  # asks for a method, which only who removed it knows
    assert any("DeidentificationMethod" in r for r in checker.dciodvfy(part10(seg)))


def test_without_the_program_there_is_no_remark(seg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker.shutil, "which", lambda name: None)
    assert checker.dciodvfy(part10(seg)) == ()
