"""What viewers break on is found in a file, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_node.errors import BadDataset
from dicom_node.objects.encode import encode
from dicom_node.objects.examine import examine
from dicom_node.objects.profile import Profile
from dicom_node.objects.validate import groups, name_of


def no_source_series(seg: Dataset) -> None:
    del seg.ReferencedSeriesSequence


def renumber(seg: Dataset) -> None:
    for item, number in zip(seg.SegmentSequence, (2, 1, 3), strict=True):
        item.SegmentNumber = number


def one_track(seg: Dataset) -> None:
    seg.SegmentSequence[1].TrackingUID = seg.SegmentSequence[0].TrackingUID


def no_colour(seg: Dataset) -> None:
    del seg.SegmentSequence[2].RecommendedDisplayCIELabValue


def half_a_track(seg: Dataset) -> None:
    del seg.SegmentSequence[0].TrackingUID


def emptied(seg: Dataset) -> None:
    seg.PixelData = bytes(len(seg.PixelData))


def no_derivation(seg: Dataset) -> None:
    del seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence


def no_frame_of_reference(seg: Dataset) -> None:
    del seg.FrameOfReferenceUID


def no_library(report: Dataset) -> None:
    report.ContentSequence = [item for item in report.ContentSequence if name_of(item) != "111028"]


def other_title(report: Dataset) -> None:
    report.ConceptNameCodeSequence[0].CodeValue = "126001"


def no_template(report: Dataset) -> None:
    del report.ContentTemplateSequence


def no_evidence(report: Dataset) -> None:
    del report.CurrentRequestedProcedureEvidenceSequence


def other_order(report: Dataset) -> None:
    group = groups(report)[1]
    numbers = [item for item in group.ContentSequence if item.ValueType == "NUM"]
    group.ContentSequence = [item for item in group.ContentSequence if item.ValueType != "NUM"] + numbers[::-1]


def no_tracking(report: Dataset) -> None:
    group = groups(report)[0]
    group.ContentSequence = [item for item in group.ContentSequence if name_of(item) != "112040"]


def no_birth_date(report: Dataset) -> None:
    del report.PatientBirthDate


SPOILT: dict[str, tuple[int, Callable[[Dataset], None], str]] = {
    "no source series": (0, no_source_series, "it refers to 0 source series"),
    "segments out of place": (0, renumber, "not numbered 1, 2, 3"),
    "one track for two": (0, one_track, "share a TrackingUID"),
    "no colour": (0, no_colour, "segment 3 has no RecommendedDisplayCIELabValue"),
    "half a track": (0, half_a_track, "segment 1 has only one of"),
    "no voxels": (0, emptied, "segment 2 has no voxels"),
    "no source image": (0, no_derivation, "1 frames refer to no source image"),
    "no frame of reference": (0, no_frame_of_reference, "FrameOfReferenceUID is missing"),
    "no image library": (1, no_library, "no Image Library"),
    "another title": (1, other_title, "the one that OHIF takes"),
    "no template": (1, no_template, "names no TID 1500"),
    "no evidence": (1, no_evidence, "its evidence does not list"),
    "another order": (1, other_order, "Slicer fills its table by position"),
    "no tracking": (1, no_tracking, "measurement group 1 has no Tracking Unique Identifier"),
    "no birth date": (2, no_birth_date, "PatientBirthDate is missing"),
}


@pytest.fixture
def made(make_case):
    case = make_case()
    return case, [one.part10 for one in encode(case.result, "job", case.files, case.context)]


def test_what_we_write_holds_also_beside_its_sources(made, tmp_path: Path) -> None:
    case, files = made
    for number, part10 in enumerate(files):
        (path := tmp_path / f"{number}.dcm").write_bytes(part10)
        assert examine(path, case.files["CT"]) == []


@pytest.mark.parametrize("transfer_syntax", ["explicit", "implicit"])
def test_nor_is_anything_wrong_with_reports_that_cite_a_labelmap(transfer_syntax: str, make_case, tmp_path: Path,
                                                                 tool) -> None:
    tool("dciodvfy", succeeds=False)
    case = make_case()
    profile = Profile(seg="labelmap", key_objects=True, transfer_syntax=transfer_syntax)
    for number, one in enumerate(encode(case.result, "job", case.files, replace(case.context, profile=profile))):
        (path := tmp_path / f"{number}.dcm").write_bytes(one.part10)
        assert examine(path, case.files["CT"]) == []


@pytest.mark.parametrize("name", SPOILT)
def test_what_a_viewer_breaks_on_is_told(name: str, made, tmp_path: Path) -> None:
    index, spoil, sentence = SPOILT[name]
    ds = dcmread(BytesIO(made[1][index]))
    spoil(ds)
    ds.save_as(tmp_path / "spoilt.dcm")
    assert sentence in "\n".join(examine(tmp_path / "spoilt.dcm"))


def test_fractions_are_told_and_a_mask_of_whole_bytes_is_not(make_case, tmp_path: Path) -> None:
    case = make_case()
    context = replace(case.context, profile=Profile(seg="occupancy", sr="none"))
    (made,) = encode(case.result, "job", case.files, context)
    (path := tmp_path / "seg.dcm").write_bytes(made.part10)
    assert examine(path, case.files["CT"]) == []
    path.write_bytes(made.part10.replace(b"\xff" * 4, b"\x80" * 4, 1))
    assert examine(path) == ["it is FRACTIONAL with values between 0 and the maximum: OHIF shows none"]


def test_a_segmentation_that_lies_elsewhere_is_told(made, tmp_path: Path) -> None:
    case, files = made
    ds = dcmread(BytesIO(files[0]))
    ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient[2] += 3
    ds.save_as(tmp_path / "moved.dcm")
    assert "1 frames lie elsewhere than the image that they refer to" in examine(tmp_path / "moved.dcm",
                                                                                 case.files["CT"])
    told = examine(tmp_path / "moved.dcm", case.files["CT"][:1])
    assert any("refer to an image that is not among the sources" in sentence for sentence in told)


def test_what_is_no_dicom_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no DICOM")
    with pytest.raises(BadDataset, match=r"notes\.txt cannot be read"):
        examine(tmp_path / "notes.txt")
