"""The SEG's rules, and its place in the patient as an independent reader sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from dicom_node.errors import ResultInvalid
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.encode import encode
from dicom_node.objects.identity import JobNames, device_uid
from dicom_node.objects.seg import encode_segmentations
from dicom_node.objects.source import load_sources
from inference.codes import LEFT, LUNG
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding

SHAPE = (9, 20, 26)
SPACING = Spacing(3.0, 0.9, 0.7)


def turned(*degrees: float) -> np.ndarray:
    """Axes (z, y, x) as columns of an axial grid turned about x, then y, then z."""
    turn = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        c, s = np.cos(angle), np.sin(angle)
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        step = np.eye(3)
        step[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
        turn = step @ turn
    return turn[:, ::-1]


def grid(directions: object, spacing: Spacing = SPACING) -> Grid:
    return Grid(SHAPE, regular_affine((-31.5, 12.25, -140.0), np.array(directions, dtype=float), spacing))


AXIAL = grid(turned(0, 0, 0))
ORIENTATIONS = {
    "axial": AXIAL,
    "coronal": grid(np.array([[0, 1, 0], [0, 0, -1], [1, 0, 0]]).T),
    "sagittal": grid(np.array([[-1, 0, 0], [0, 0, -1], [0, 1, 0]]).T),
    "doubly oblique": grid(turned(17, -23, 31)),
    "anisotropic": grid(turned(0, 0, 0), Spacing(7.5, 0.4, 1.3)),
    "feet first": grid(turned(0, 180, 0)),
}


def same_place(image: sitk.Image, truth: np.ndarray, on: Grid) -> bool:
    """Whether an image's voxels above 0 are exactly the truth's, compared as points in the patient."""
    indices = np.argwhere(sitk.GetArrayFromImage(image) > 0)
    points = np.array([image.TransformIndexToPhysicalPoint([int(v) for v in index[::-1]]) for index in indices])
    found = on.to_index(points)
    assert np.abs(found - np.rint(found)).max() < 1e-2
    return {tuple(i) for i in np.rint(found).astype(int)} == {tuple(i) for i in np.argwhere(truth)}


def misplaced(case, tool: Callable[..., str], folder: Path) -> list[str]:
    """The segments whose image, as dcmqi converts it, is not the truth in its place."""
    folder.mkdir()
    (seg,) = [e for e in encode(case.result, "job", case.files, case.context) if e.kind == "seg"]
    (folder / "seg.dcm").write_bytes(seg.part10)
    tool("segimage2itkimage", "-t", "nrrd", "--inputDICOM", folder / "seg.dcm", "--outputDirectory", folder)
    images = {f.number: sitk.ReadImage(str(folder / f"{f.number}.nrrd")) for f in case.result.findings}
    return [f.label for f in case.result.findings
            if not same_place(images[f.number], case.labels == f.number, case.result.grid)]


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_every_orientation_lands_voxel_for_voxel(name: str, make_case, tool, tmp_path: Path) -> None:
    assert misplaced(make_case(ORIENTATIONS[name]), tool, tmp_path / "out") == []


@pytest.mark.parametrize("encoding", [Encoding(reverse=True), Encoding(enhanced=True),
                                      Encoding(enhanced=True, reverse=True)], ids=str)
def test_every_layout_lands_voxel_for_voxel(encoding: Encoding, make_case, tool, tmp_path: Path) -> None:
    assert misplaced(make_case(ORIENTATIONS["doubly oblique"], encoding), tool, tmp_path / "out") == []


def test_a_tilted_gantry_keeps_each_slice_in_its_place(make_case) -> None:
    affine = AXIAL.affine.copy()
    affine[1, 0] = 0.8  # each slice lies 0.8 mm behind the one below it
    case = make_case(Grid(SHAPE, affine))
    seg = segmentation(case)
    for group in seg.PerFrameFunctionalGroupsSequence:
        uid = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        z = [s.sop_instance_uid for s in case.result.sources["CT"]].index(uid)
        place = case.result.grid.to_lps((z, 0, 0))
        assert np.allclose(group.PlanePositionSequence[0].ImagePositionPatient, place, atol=1e-3)


def segmentation(case, job: str = "job") -> Dataset:
    (seg,) = [e for e in encode(case.result, job, case.files, case.context) if e.kind == "seg"]
    return dcmread(BytesIO(seg.part10))


@pytest.fixture
def seg(make_case) -> Dataset:
    return segmentation(make_case())


def test_it_is_an_uncompressed_binary_segmentation(seg: Dataset) -> None:
    assert seg.SOPClassUID == SegmentationStorage
    assert seg.SegmentationType == "BINARY"
    assert seg.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert seg.SegmentsOverlap == "NO"


def test_segments_stand_at_the_place_of_their_number(seg: Dataset) -> None:
    assert [s.SegmentNumber for s in seg.SegmentSequence] == [1, 2, 3]
    assert [s.SegmentLabel for s in seg.SegmentSequence] == ["Liver", "Liver tumour 1", "Liver tumour 2"]


def test_one_source_series_is_referenced_with_every_instance(seg: Dataset, make_case) -> None:
    (series,) = seg.ReferencedSeriesSequence
    assert len(series.ReferencedInstanceSequence) == SHAPE[0]


def test_every_frame_names_its_source_image_in_its_own_plane(seg: Dataset) -> None:
    for group in seg.PerFrameFunctionalGroupsSequence:
        (image,) = group.DerivationImageSequence[0].SourceImageSequence
        assert image.SpatialLocationsPreserved == "YES"
        assert "ReferencedFrameNumber" not in image


def test_frames_of_a_multi_frame_source_name_instance_class_and_frame(make_case) -> None:
    case = make_case(encoding=Encoding(enhanced=True, reverse=True))
    seg = segmentation(case)
    (instance,) = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    source = dcmread(case.files["CT"][0], stop_before_pixels=True)
    assert instance.ReferencedSOPInstanceUID == source.SOPInstanceUID
    for group in seg.PerFrameFunctionalGroupsSequence:
        (image,) = group.DerivationImageSequence[0].SourceImageSequence
        assert image.ReferencedSOPClassUID == source.SOPClassUID
        its = source.PerFrameFunctionalGroupsSequence[image.ReferencedFrameNumber - 1].PlanePositionSequence[0]
        assert np.allclose(its.ImagePositionPatient, group.PlanePositionSequence[0].ImagePositionPatient)


def test_empty_frames_are_left_out(seg: Dataset, make_case) -> None:
    labels = make_case().labels
    assert seg.NumberOfFrames == sum(int((labels == n).any(axis=(1, 2)).sum()) for n in (1, 2, 3))


def test_frame_of_reference_and_patient_are_the_sources(make_case) -> None:
    case = make_case()
    seg, source = segmentation(case), dcmread(case.files["CT"][0])
    for keyword in ("FrameOfReferenceUID", "StudyInstanceUID", "PatientID", "PatientName", "AccessionNumber"):
        assert seg[keyword].value == source[keyword].value


def test_segments_carry_codes_colours_and_tracks(seg: Dataset) -> None:
    liver, tumour, _ = seg.SegmentSequence
    assert liver.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "91723000"
    assert tumour.SegmentedPropertyTypeCodeSequence[0].CodeValue == "108369006"
    assert tumour.AnatomicRegionSequence[0].CodeValue == "10200004"
    assert len({tuple(s.RecommendedDisplayCIELabValue) for s in seg.SegmentSequence}) == 2
    assert [s.TrackingUID for s in seg.SegmentSequence] == [JobNames("job").tracking(str(n)) for n in (1, 2, 3)]
    assert [s.TrackingID for s in seg.SegmentSequence] == [s.SegmentLabel for s in seg.SegmentSequence]


def test_laterality_modifies_the_region(make_case) -> None:
    case = make_case()
    first, second, third = case.result.findings
    lung = replace(second.structure, region=LUNG)
    result = replace(case.result, findings=(first, replace(second, structure=lung, laterality=LEFT), third))
    region = segmentation(replace(case, result=result)).SegmentSequence[1].AnatomicRegionSequence[0]
    assert region.CodeValue == LUNG.value
    assert region.AnatomicRegionModifierSequence[0].CodeValue == LEFT.value


def test_the_model_has_one_name_everywhere(seg: Dataset, make_case) -> None:
    """IHE AIR: the algorithm identification equals the Contributing Equipment."""
    model = make_case().result.model
    (equipment,) = [e for e in seg.ContributingEquipmentSequence if "DeviceUID" in e]
    algorithm = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert equipment.DeviceUID == device_uid(model)
    assert equipment.Manufacturer == algorithm.AlgorithmSource == model.manufacturer
    assert equipment.ManufacturerModelName == algorithm.AlgorithmName == model.name
    assert equipment.SoftwareVersions == algorithm.AlgorithmVersion == model.version
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"


def test_findings_out_of_order_are_not_encoded(make_case) -> None:
    case = make_case()
    swapped = replace(case.result, findings=case.result.findings[::-1])
    with pytest.raises(ResultInvalid, match="numbered"):
        encode_segmentations(swapped, load_sources(swapped, case.files), EncodeContext(0.0))
