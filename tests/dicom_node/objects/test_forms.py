"""Every form that a profile may ask for says the same, and independent readers understand it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dicom_node.objects.decode import LABELMAP_SEGMENTATION
from dicom_node.objects.encode import Encoded, encode
from dicom_node.objects.profile import Profile
from dicom_node.objects.validate import groups
from inference.writers.dicom_series import Encoding

PLAIN = Encoding()
NO_SEGMENTATION = "Shall not be present for Referenced SOP Class that is not segmentation"  # said of a LABELMAP
SUMMARY = "Dicom dataset contains"
FORMS: dict[str, dict[str, Any]] = {
    "standard": {},
    "occupancy": {"seg": "occupancy"},
    "occupancy, compressed": {"seg": "occupancy", "transfer_syntax": "rle"},
    "occupancy, one SEG a segment, with empty frames": {"seg": "occupancy", "seg_per": "segment", "empty_frames": True},
    "labelmap": {"seg": "labelmap"},
    "labelmap, compressed": {"seg": "labelmap", "transfer_syntax": "rle"},
    "one SEG a segment": {"seg_per": "segment"},
    "with empty frames": {"empty_frames": True},
    "labelmap with empty frames": {"seg": "labelmap", "empty_frames": True},
    "comprehensive": {"sr": "comprehensive"},
    "enhanced": {"sr": "enhanced"},
    "all slices in the library": {"library": "all"},
    "implicit": {"transfer_syntax": "implicit"},
    "UTF-8": {"character_set": "utf8"},
}


def made(case: Any, **profile: Any) -> tuple[Encoded, ...]:
    return encode(case.result, "job", case.files, replace(case.context, profile=Profile.model_validate(profile)))


@pytest.fixture(scope="module")
def case(make_shared_case) -> Any:
    """For those that change nothing of it."""
    return make_shared_case()


@pytest.fixture(scope="module")
def encoded(make_shared_case) -> Callable[..., tuple[Any, tuple[Encoded, ...]]]:
    """A case and its objects in a form, each made once for all who look at them."""

    @cache
    def case_of(encoding: Encoding) -> Any:
        return make_shared_case(encoding=encoding)

    @cache
    def give(form: str, encoding: Encoding) -> tuple[Any, tuple[Encoded, ...]]:
        return case_of(encoding), made(case_of(encoding), **FORMS[form])

    return give


def of_kind(kind: str, objects: tuple[Encoded, ...]) -> list[Any]:
    return [dcmread(BytesIO(one.part10)) for one in objects if one.kind == kind]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", [PLAIN, Encoding(enhanced=True)], ids=["single frames", "enhanced"])
def test_dcmqi_reads_the_same_masks_from_every_form(form, encoding, encoded, tool, tmp_path: Path) -> None:
    case, objects = encoded(form, encoding)
    found = np.zeros_like(case.labels)
    number = 0
    for rank, one in enumerate(e for e in objects if e.kind == "seg"):
        folder = tmp_path / str(rank)
        folder.mkdir()
        (folder / "seg.dcm").write_bytes(one.part10)
        tool("segimage2itkimage", "-t", "nrrd", "--inputDICOM", folder / "seg.dcm", "--outputDirectory", folder)
        for path in sorted(folder.glob("*.nrrd")):
            number += 1
            image = sitk.ReadImage(str(path))
            values = sitk.GetArrayFromImage(image)
            points = [image.TransformIndexToPhysicalPoint([int(v) for v in index[::-1]])
                      for index in np.argwhere(values > 0)]
            where = tuple(np.rint(case.result.grid.to_index(np.array(points))).astype(int).T)
            found[where] = values[values > 0] if FORMS[form].get("seg") == "labelmap" else number
    assert np.array_equal(found, case.labels)


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"labelmap, compressed"}))
def test_the_checkers_find_no_error_in_any_form(form: str, encoded, tool, tmp_path: Path) -> None:
    for one in encoded(form, PLAIN)[1]:
        (file := tmp_path / f"{one.sop_instance_uid}.dcm").write_bytes(one.part10)
        if one.sop_class_uid != LABELMAP_SEGMENTATION:  # Debian's dciodvfy of 2022 does not know it
            said = tool("dciodvfy", "-new", file, succeeds=False).splitlines()
            errors = [line for line in said if line.startswith("Error")]
            if FORMS[form].get("seg") == "labelmap":
                errors = [line for line in errors if NO_SEGMENTATION not in line and SUMMARY not in line]
            assert not errors
        if one.kind != "seg" and FORMS[form].get("seg") != "labelmap":  # nor does its dsrdump
            tool("dsrdump", file)


@pytest.mark.parametrize("form", FORMS)
def test_dcmqi_reads_the_measurements_of_every_form(form: str, encoded, tool, tmp_path: Path) -> None:
    (report,) = [one for one in encoded(form, PLAIN)[1] if one.kind == "sr"]
    (tmp_path / "sr.dcm").write_bytes(report.part10)
    tool("tid1500reader", "--inputDICOM", tmp_path / "sr.dcm", "--outputMetadata", tmp_path / "sr.json")
    text = (tmp_path / "sr.json").read_text()
    assert [text.count(label) > 0 for label in ("Liver tumour 1", "Liver tumour 2")] == [True, True]


def test_each_segment_alone_has_its_series_and_its_track_of_before(case) -> None:
    (together,), apart = of_kind("seg", made(case)), of_kind("seg", made(case, seg_per="segment"))
    assert [len(seg.SegmentSequence) for seg in apart] == [1, 1, 1]
    assert [s.SegmentSequence[0].TrackingUID for s in apart] == [s.TrackingUID for s in together.SegmentSequence]
    assert len({seg.SeriesInstanceUID for seg in apart}) == 3
    (report,) = of_kind("sr", made(case, seg_per="segment"))
    assert len(groups(report)) == 3


def test_empty_frames_are_kept_where_they_are_asked_for(case) -> None:
    (seg,) = of_kind("seg", made(case, empty_frames=True))
    assert seg.NumberOfFrames == 3 * len(case.labels)


def test_a_labelmap_is_of_its_own_class_and_may_be_compressed(case) -> None:
    (seg,) = of_kind("seg", made(case, seg="labelmap", transfer_syntax="rle"))
    assert seg.SOPClassUID == LABELMAP_SEGMENTATION
    assert seg.file_meta.TransferSyntaxUID == RLELossless


def test_an_occupancy_is_the_binary_one_in_whole_bytes(case) -> None:
    (bits,), (whole,) = (of_kind("seg", made(case, seg=form)) for form in ("binary", "occupancy"))
    assert (whole.SegmentationType, whole.SegmentationFractionalType) == ("FRACTIONAL", "OCCUPANCY")
    assert (whole.MaximumFractionalValue, whole.BitsAllocated) == (255, 8)
    assert np.array_equal(pixel_array(whole), 255 * pixel_array(bits))
    assert whole.SegmentSequence == bits.SegmentSequence
    assert whole.ReferencedSeriesSequence == bits.ReferencedSeriesSequence
    for keyword in ("DerivationImageSequence", "SegmentIdentificationSequence", "PlanePositionSequence"):
        there, here = ([group[keyword] for group in seg.PerFrameFunctionalGroupsSequence] for seg in (bits, whole))
        assert there == here


@pytest.mark.parametrize(("name", "uid"), [
    ("comprehensive3d", Comprehensive3DSRStorage), ("comprehensive", ComprehensiveSRStorage),
    ("enhanced", EnhancedSRStorage),
])  # fmt: skip
def test_reports_are_of_the_class_that_is_asked_for(name: str, uid: str, case) -> None:
    assert {one.sop_class_uid for one in made(case, sr=name) if one.kind != "seg"} == {uid}


def test_objects_of_another_form_are_other_instances(case) -> None:
    standard, implicit = made(case), made(case, transfer_syntax="implicit")
    assert not {one.sop_instance_uid for one in standard} & {one.sop_instance_uid for one in implicit}
    assert {one.variant for one in standard} == {""} != {one.variant for one in implicit}
    assert {dcmread(BytesIO(one.part10)).file_meta.TransferSyntaxUID for one in implicit} == {ImplicitVRLittleEndian}


def test_without_segments_the_measurements_are_left_to_the_summary(case) -> None:
    assert [one.kind for one in made(case, seg="none")] == ["summary"]
    assert [one.kind for one in made(case, sr="none")] == ["seg"]
    assert [one.kind for one in made(case, measurements=False)] == ["seg"]


def test_a_labelmap_passes_the_check_before_it_leaves(case) -> None:
    checked = replace(case, context=replace(case.context, dciodvfy=True))
    assert [one.kind for one in made(checked, seg="labelmap")] == ["seg", "sr", "summary"]


def name_in_japanese(files: list[Path]) -> None:
    for path in files:
        ds = dcmread(path)
        ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
        ds.PatientName = "Yamada^Tarou=山田^太郎"
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "X1", "99LOCAL", "頭部MRI"
        ds.ProcedureCodeSequence = [code]
        ds.save_as(path)


def test_a_name_in_another_character_set_becomes_utf8(make_case) -> None:
    for one in made(make_case(edit=name_in_japanese), character_set="utf8"):
        assert "山田^太郎".encode() in one.part10
        ds = dcmread(BytesIO(one.part10))
        assert ds.PatientName == "Yamada^Tarou=山田^太郎"
        assert ds.ProcedureCodeSequence[0].CodeMeaning == "頭部MRI"
