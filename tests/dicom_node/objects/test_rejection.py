"""Our own rejection note: names results that left and no others, in their study, for its patient, repeatably."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import (
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from dicom_node.errors import ResultInvalid
from dicom_node.objects import rejection
from dicom_node.objects.context import Replaced
from dicom_node.objects.decode import LABELMAP_SEGMENTATION
from dicom_node.objects.encode import encode
from dicom_node.objects.identity import Moment
from dicom_node.objects.key_objects import Title, read_rejection
from dicom_node.objects.rejection import check_rejection, encode_rejection

OLD = (
    Replaced("seg", SegmentationStorage, "2.25.11", "2.25.12"),
    Replaced("sr", Comprehensive3DSRStorage, "2.25.13", "2.25.14"),
)


def say_more(files: list[Path]) -> None:
    for path in files:
        ds = dcmread(path)
        ds.IssuerOfPatientID, ds.StudyDescription = "Clinic", "CT abdomen"
        ds.save_as(path)


@pytest.fixture
def make_note(make_case: Callable[..., Any]) -> Callable[..., Any]:
    case = make_case(edit=say_more)
    context = replace(case.context, job_id="note", dciodvfy=True)
    return lambda rejected=OLD: encode_rejection(rejected, case.files["CT"][0], "No longer valid: late images", context)


def test_it_is_dated_in_the_time_of_its_images(make_case: Callable[..., Any]) -> None:
    def say_offset(files: list[Path]) -> None:
        for path in files:
            ds = dcmread(path)
            ds.TimezoneOffsetFromUTC = "+1300"
            ds.save_as(path)

    case = make_case(edit=say_offset)
    note = dcmread(BytesIO(encode_rejection(OLD, case.files["CT"][0], "Late images", case.context).part10))
    moment = Moment.of(case.context.created_at, "+1300")
    assert (note.TimezoneOffsetFromUTC, note.ContentDate, note.ContentTime) == ("+1300", moment.date, moment.time)


def test_it_rejects_for_quality_what_it_is_told(make_note: Callable[..., Any], tmp_path: Path) -> None:
    made = make_note()
    assert made.kind == "rejection"
    assert made.sop_class_uid == KeyObjectSelectionDocumentStorage
    (tmp_path / "note.dcm").write_bytes(made.part10)
    note = read_rejection(tmp_path / "note.dcm", "1.2.840.10008.1.2.1")
    assert note is not None
    assert note.title is Title.QUALITY
    (named,) = note.named.values()
    assert named == {"2.25.11", "2.25.13"}


@pytest.mark.parametrize(
    ("sop_class", "named"),
    [
        (SegmentationStorage, "IMAGE"),
        (LABELMAP_SEGMENTATION, "IMAGE"),
        (ParametricMapStorage, "IMAGE"),
        (SecondaryCaptureImageStorage, "IMAGE"),
        (Comprehensive3DSRStorage, "COMPOSITE"),
        (EncapsulatedPDFStorage, "COMPOSITE"),
        (RTStructureSetStorage, "COMPOSITE"),
    ],
)
def test_what_has_pixels_is_an_image_and_all_else_a_composite(
    make_note: Callable[..., Any], sop_class: str, named: str
) -> None:
    note = dcmread(BytesIO(make_note((Replaced("any", sop_class, "2.25.11", "2.25.12"),)).part10))
    types = {i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID: i.ValueType for i in note.ContentSequence[1:]}
    assert types == {"2.25.11": named}
    assert note.ContentSequence[0].TextValue == "No longer valid: late images"


def test_patient_and_study_are_the_images(make_note: Callable[..., Any], make_case: Callable[..., Any]) -> None:
    note = dcmread(BytesIO(make_note().part10))
    image = dcmread(make_case(edit=say_more).files["CT"][0])
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "AccessionNumber", "StudyDate", "StudyDescription",
                    "IssuerOfPatientID"):
        assert note.get(keyword) == image.get(keyword), keyword


def test_the_same_note_has_the_same_bytes(make_note: Callable[..., Any]) -> None:
    assert make_note().part10 == make_note().part10


@pytest.mark.peer
def test_dciodvfy_finds_nothing(make_note: Callable[..., Any], tmp_path: Path, tool: Callable[..., str]) -> None:
    (tmp_path / "note.dcm").write_bytes(make_note().part10)
    said = tool("dciodvfy", "-new", tmp_path / "note.dcm", succeeds=False)
    assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_a_note_on_nothing_is_not_made(make_note: Callable[..., Any]) -> None:
    with pytest.raises(ResultInvalid):
        make_note(())


def test_a_note_that_names_something_else_must_not_leave(
    make_note: Callable[..., Any], make_case: Callable[..., Any]
) -> None:
    note = dcmread(BytesIO(make_note().part10))
    image = dcmread(make_case().files["CT"][0])
    with pytest.raises(ResultInvalid, match="selection, its evidence"):
        check_rejection(note, OLD[:1], image)
    image.PatientID = "another"
    with pytest.raises(ResultInvalid, match="patient"):
        check_rejection(note, OLD, image)


@pytest.mark.peer
@pytest.mark.parametrize("kinds", [("seg", "sr", "summary"), ("summary",)])
def test_reports_name_what_they_replace(
    make_case: Callable[..., Any], tool: Callable[..., str], tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    case = make_case()
    first = [one for one in encode(case.result, "first", case.files, case.context) if one.kind in kinds]
    old = tuple(Replaced(e.kind, e.sop_class_uid, e.sop_instance_uid, e.series_instance_uid) for e in first)
    uid_of = {e.kind: e.sop_instance_uid for e in first}
    expected = {"sr": {"sr", "seg"}, "summary": {"summary", "seg"}} if len(kinds) > 1 else {"sr": {"summary"},
                                                                                           "summary": {"summary"}}
    second = encode(case.result, "second", case.files, replace(case.context, replaces=old))
    for made in second:
        if made.kind == "seg":
            continue
        report = dcmread(BytesIO(made.part10))
        named = {sop.ReferencedSOPInstanceUID for study in report.PredecessorDocumentsSequence
                 for series in study.ReferencedSeriesSequence for sop in series.ReferencedSOPSequence}
        assert named == {uid_of[kind] for kind in expected[made.kind]}
        (tmp_path / "report.dcm").write_bytes(made.part10)
        said = tool("dciodvfy", "-new", tmp_path / "report.dcm", succeeds=False)
        assert "PredecessorDocuments" not in said
        assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_what_the_disk_refuses_is_told_from_what_no_file_is(
    make_note: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> Callable[..., Any]:
        def read(*_: object, **__: object) -> None:
            raise OSError(*arguments)

        return read

    monkeypatch.setattr(rejection, "dcmread", fail(5, "Input/output error"))
    with pytest.raises(OSError, match="Input/output"):
        make_note()
    monkeypatch.setattr(rejection, "dcmread", fail("expected end of sequence"))  # as pydicom does
    with pytest.raises(ResultInvalid, match="could not be made"):
        make_note()
