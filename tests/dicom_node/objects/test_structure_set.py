"""The structure set's contours, read back as a planning system does, are the mask; what it says of them is modest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage

from dicom_node.errors import ResultInvalid
from dicom_node.objects import structure_set
from dicom_node.objects.finish import part10
from dicom_node.objects.identity import JobNames
from dicom_node.objects.source import load_sources
from dicom_node.objects.structure_set import encode_structures
from inference import codes
from inference.findings import IntendedUse
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding

SHAPE = (9, 20, 26)


def oblique() -> Grid:
    """Turned about two axes, with pixels of 0.9 x 0.7 mm."""
    a, b = np.radians((17, -23))
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return Grid(SHAPE, regular_affine((-31.5, 12.25, -140.0), (about_y @ about_x)[:, ::-1], Spacing(3.0, 0.9, 0.7)))


GRIDS = {"axial": {}, "oblique": {"grid": oblique()}}
LAYOUTS = {
    "single-frame": Encoding(), "feet first": Encoding(reverse=True),
    "enhanced": Encoding(enhanced=True), "enhanced, feet first": Encoding(enhanced=True, reverse=True),
}


def structures(case: Any, job: str = "job") -> Dataset:
    made = encode_structures(case.result, load_sources(case.result, case.files), case.context.of_job(job))
    return dcmread(BytesIO(part10(made)))


def with_mask(case: Any, labels: np.ndarray) -> Any:
    """The case with another mask."""
    np.save(case.result.labelmap, labels.astype(np.uint8))
    return replace(case, labels=labels)


def read_back(ds: Dataset, grid: Grid) -> np.ndarray:
    """A label map from contours in patient space: the voxels whose centres lie inside an odd number of them."""
    labels = np.zeros(grid.shape, np.uint8)
    rows, columns = np.indices(grid.shape[1:])
    for roi in ds.ROIContourSequence:
        inside = np.zeros(grid.shape, dtype=bool)
        for contour in roi.ContourSequence:
            points = grid.to_index(np.array(contour.ContourData, dtype=float).reshape(-1, 3))
            assert len(points) == contour.NumberOfContourPoints
            z = round(points[0, 0])
            assert np.abs(points[:, 0] - z).max() < 2e-3, "a contour lies in the plane of its slice"
            for (_, y0, x0), (_, y1, x1) in zip(points, np.roll(points, -1, axis=0), strict=True):
                if abs(y1 - y0) > 0.5:  # the other edges run along a row, between pixels' centres
                    crosses = (min(y0, y1) <= rows) & (rows < max(y0, y1))
                    inside[z] ^= crosses & (x0 + (rows - y0) / (y1 - y0) * (x1 - x0) < columns)
        labels[inside] = roi.ReferencedROINumber
    return labels


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("grid", GRIDS)
def test_contours_enclose_exactly_the_mask(grid: str, layout: str, make_case: Callable[..., Any]) -> None:
    case = make_case(**GRIDS[grid], encoding=LAYOUTS[layout])
    assert np.array_equal(read_back(structures(case), case.result.grid), case.labels)


def test_noise_with_holes_and_islands_is_enclosed_exactly(make_case: Callable[..., Any]) -> None:
    case = make_case(oblique())
    noise = np.random.default_rng(1).choice([0, 1, 2, 3], size=SHAPE, p=[0.3, 0.5, 0.1, 0.1])
    assert np.array_equal(read_back(structures(with_mask(case, noise)), case.result.grid), noise)


def test_a_hole_is_joined_to_its_rim(make_case: Callable[..., Any]) -> None:
    """PS3.3 C.8.8.6.3: one contour with a keyhole, since readers fill a contour that lies inside another."""
    case = make_case()
    labels = np.zeros(SHAPE)
    labels[4, 2:12, 3:14] = 1
    labels[4, 5:8, 6:9] = 0
    ds = structures(with_mask(case, labels))
    (contour,) = ds.ROIContourSequence[0].ContourSequence
    assert contour.ContourGeometricType == "CLOSED_PLANAR"
    assert np.array_equal(read_back(ds, case.result.grid), labels)


def test_a_contour_too_long_for_its_value_is_cut_across(
    make_case: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Explicit VR gives a DS 65534 bytes; pydicom would write more as UN, which planning systems do not read."""
    case = make_case()
    whole = structures(case)
    monkeypatch.setattr(structure_set, "LONGEST_VALUE", 120)
    cut = structures(case)
    count = [sum(len(roi.ContourSequence) for roi in ds.ROIContourSequence) for ds in (whole, cut)]
    assert count[0] < count[1]
    assert all(c.get_item("ContourData").length <= 120 for roi in cut.ROIContourSequence for c in roi.ContourSequence)
    assert np.array_equal(read_back(cut, case.result.grid), case.labels)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_contour_names_the_image_and_frame_in_its_plane(layout: str, make_case: Callable[..., Any]) -> None:
    case = make_case(encoding=LAYOUTS[layout])
    ds = structures(case)
    sources = load_sources(case.result, case.files)
    (frame,) = ds.ReferencedFrameOfReferenceSequence
    (series,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    listed = {i.ReferencedSOPInstanceUID: i.ReferencedSOPClassUID for i in series.ContourImageSequence}
    assert series.SeriesInstanceUID == sources.series_instance_uid
    assert listed == {str(e.SOPInstanceUID): str(e.SOPClassUID) for e in sources.evidence}
    slice_of = {(r.sop_instance_uid, r.frame): z for z, r in enumerate(sources.references)}
    for roi in ds.ROIContourSequence:
        for contour in roi.ContourSequence:
            (image,) = contour.ContourImageSequence
            assert listed[image.ReferencedSOPInstanceUID] == image.ReferencedSOPClassUID
            z = slice_of[image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")]
            first = np.array(contour.ContourData[:3], dtype=float)
            assert case.result.grid.to_index(first)[0] == pytest.approx(z, abs=2e-3)


def test_rois_are_the_findings(make_case: Callable[..., Any]) -> None:
    case = make_case()
    ds = structures(case)
    assert [r.ROINumber for r in ds.StructureSetROISequence] == [1, 2, 3]
    assert [r.ROIName for r in ds.StructureSetROISequence] == [f.label for f in case.result.findings]
    assert [list(r.ROIDisplayColor) for r in ds.ROIContourSequence] == [
        list(f.structure.rgb) for f in case.result.findings]
    for roi, found in zip(ds.StructureSetROISequence, case.result.findings, strict=True):
        assert roi.ROIGenerationAlgorithm == "AUTOMATIC"
        assert "liver-net 2.1" in roi.ROIGenerationDescription
        assert roi.ROIVolume == found.volume_ml
        assert roi.ROIDescription.endswith(JobNames("job").tracking(str(found.number))), "the SEG's track"
        assert roi.ReferencedFrameOfReferenceUID == ds.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID


def test_organs_and_tumours_have_types_and_the_rest_waits_for_a_physician(make_case: Callable[..., Any]) -> None:
    case = make_case()
    first, second, third = case.result.findings
    oedema = replace(third, structure=replace(third.structure, type=codes.EDEMA, region=codes.BRAIN))
    ds = structures(replace(case, result=replace(case.result, findings=(first, second, oedema))))
    assert [o.RTROIInterpretedType for o in ds.RTROIObservationsSequence] == ["ORGAN", "GTV", ""]
    assert [o.RTROIIdentificationCodeSequence[0].CodeValue for o in ds.RTROIObservationsSequence] == [
        codes.LIVER.value, codes.NEOPLASM.value, codes.EDEMA.value]
    assert ds.RTROIObservationsSequence[1].AnatomicRegionSequence[0].CodeValue == codes.LIVER.value


def test_nobody_has_approved_it_and_its_label_says_what_for(make_case: Callable[..., Any]) -> None:
    case = make_case()
    ds = structures(replace(case, context=replace(case.context, incomplete="missing 3 images")))
    assert ds.SOPClassUID == RTStructureSetStorage
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert ds.ApprovalStatus == "UNAPPROVED"
    assert ds.StructureSetLabel == "DEMONSTRATION"
    assert ds.StructureSetName.startswith("INCOMPLETE, DEMONSTRATION")
    assert "Not for clinical use" in ds.StructureSetDescription
    assert "missing 3 images" in ds.StructureSetDescription
    clinical = replace(case.result.model, intended_use=IntendedUse.CLINICAL, clearance="CE 0000")
    assert structures(replace(case, result=replace(case.result, model=clinical))).StructureSetLabel == "LIVER_TUMOUR"


def test_patient_study_and_frame_of_reference_are_the_images(make_case: Callable[..., Any]) -> None:
    case = make_case()
    ds, image = structures(case), dcmread(case.files["CT"][0])
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "AccessionNumber", "FrameOfReferenceUID"):
        assert ds[keyword].value == image[keyword].value, keyword


def test_names_repeat_and_so_do_bytes(make_case: Callable[..., Any]) -> None:
    case = make_case()
    sources = load_sources(case.result, case.files)
    first, second = (part10(encode_structures(case.result, sources, case.context.of_job("job"))) for _ in range(2))
    assert first == second
    ds, names = dcmread(BytesIO(first)), JobNames("job")
    assert (ds.SOPInstanceUID, ds.SeriesInstanceUID) == (names.instance("structures"), names.series("structures"))
    assert ds.SeriesNumber == names.series_number("structures")
    assert structures(case, "another").SOPInstanceUID != ds.SOPInstanceUID


def test_no_findings_are_no_structures(make_case: Callable[..., Any]) -> None:
    with pytest.raises(ResultInvalid, match="no structures"):
        structures(make_case(empty=True))


@pytest.mark.peer
@pytest.mark.parametrize("layout", LAYOUTS)
def test_dciodvfy_finds_no_error(
    layout: str, make_case: Callable[..., Any], tool: Callable[..., str], tmp_path: Path
) -> None:
    structures(make_case(oblique(), LAYOUTS[layout])).save_as(tmp_path / "structures.dcm")
    said = tool("dciodvfy", "-new", tmp_path / "structures.dcm", succeeds=False)
    assert [line for line in said.splitlines() if line.startswith("Error")] == []
