"""One picture as an object: whose it is, where it lies, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from scipy.spatial.transform import Rotation

from dicom_node.objects.checker import dciodvfy
from dicom_node.objects.finish import part10
from dicom_node.objects.identity import JobNames, device_uid
from dicom_node.objects.secondary_capture import Picture, secondary_capture
from dicom_node.objects.source import load_sources
from inference.codes import LUNG
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding

PIXELS = np.arange(20 * 26 * 3, dtype=np.uint32).astype(np.uint8).reshape(20, 26, 3)


def capture(case, z: int = 4, pixels: np.ndarray = PIXELS) -> Dataset:
    picture = Picture("capture", "DEMONSTRATION: Liver tumours, key images", 2, z, pixels, "grey from -140 to 260")
    sources = load_sources(case.result, case.files)
    return dcmread(BytesIO(part10(secondary_capture(picture, case.result, sources, case.context.of_job("job")))))


def edited(change: Callable[[Dataset], None]) -> Callable[[list[Path]], None]:
    def edit(files: list[Path]) -> None:
        for path in files:
            ds = dcmread(path)
            change(ds)
            ds.save_as(path)

    return edit


def test_it_is_an_uncompressed_secondary_capture_in_colour(make_case) -> None:
    ds = capture(make_case())
    assert ds.SOPClassUID == SecondaryCaptureImageStorage
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.BitsStored) == ("RGB", 3, 8)
    assert np.array_equal(ds.pixel_array, PIXELS)


def test_it_says_that_it_is_derived_with_words_burned_in_and_for_what_use(make_case) -> None:
    ds = capture(make_case())
    assert list(ds.ImageType) == ["DERIVED", "SECONDARY"]
    assert (ds.BurnedInAnnotation, ds.ConversionType, ds.Modality) == ("YES", "DI", "OT")
    assert ds.ImageComments == "DEMONSTRATION - not for clinical use; liver-net 2.1"
    assert ds.DerivationDescription == (
        "Segmentation by liver-net 2.1, painted on the source image; grey from -140 to 260. "
        "Intended use: demonstration. Not for clinical use.")


def test_its_names_and_dates_are_the_jobs(make_case) -> None:
    case = make_case()
    ds, names = capture(case), JobNames("job")
    assert (ds.SOPInstanceUID, ds.SeriesInstanceUID) == (names.instance("capture", 2), names.series("capture"))
    assert (ds.InstanceNumber, ds.SeriesNumber) == (2, names.series_number("capture"))
    assert {ds.ContentDate, ds.SeriesDate, ds.InstanceCreationDate, ds.DateOfSecondaryCapture} == {
        case.context.moment.date}
    assert {ds.ContentTime, ds.SeriesTime, ds.InstanceCreationTime, ds.TimeOfSecondaryCapture} == {
        case.context.moment.time}


def test_patient_and_study_are_the_sources_and_the_equipment_ours(make_case) -> None:
    case = make_case()
    ds, source = capture(case), dcmread(case.files["CT"][0], stop_before_pixels=True)
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "PatientBirthDate", "PatientSex",
                    "AccessionNumber", "StudyDate", "StudyDescription"):
        assert ds.get(keyword) == source.get(keyword), keyword
    assert (ds.Manufacturer, ds.DeviceSerialNumber, ds.SoftwareVersions) == ("Segnode", "1", "0.1.0")
    assert device_uid(case.result.model) in [item.get("DeviceUID") for item in ds.ContributingEquipmentSequence]


@pytest.mark.parametrize("enhanced", [False, True])
def test_it_lies_where_its_source_slice_lies_and_cites_it(enhanced: bool, make_case) -> None:
    case = make_case(encoding=Encoding(enhanced=enhanced, reverse=True))
    sources = load_sources(case.result, case.files)
    ds, plane, source = capture(case), sources.planes[4], case.result.sources["CT"][4]
    for keyword in ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows",
                    "Columns"):
        assert ds[keyword].value == plane[keyword].value, keyword
    assert list(ds.PatientOrientation) == ["L", "P"]
    (item,) = ds.SourceImageSequence
    assert (item.ReferencedSOPInstanceUID, item.get("ReferencedFrameNumber")) == (source.sop_instance_uid, source.frame)
    assert item.ReferencedSOPClassUID == dcmread(case.files["CT"][0], stop_before_pixels=True).SOPClassUID


def test_an_oblique_one_names_every_side_by_other_letters(make_case) -> None:
    turned = Rotation.from_euler("xyz", (30, 20, 50), degrees=True).as_matrix()[:, ::-1]
    ds = capture(make_case(Grid((9, 20, 26), regular_affine((0, 0, 0), turned, Spacing(3.0, 0.9, 0.7)))))
    assert list(ds.PatientOrientation) == ["PLF", "PRH"]
    dciodvfy(part10(ds))  # ResultInvalid where it finds an error


def test_a_lossy_source_makes_a_lossy_picture(make_case) -> None:
    def lossy(ds: Dataset) -> None:
        ds.LossyImageCompression, ds.LossyImageCompressionRatio = "01", 12.5
        ds.LossyImageCompressionMethod = "ISO_15444_1"

    ds = capture(make_case(edit=edited(lossy)))
    assert (ds.LossyImageCompression, ds.LossyImageCompressionRatio) == ("01", 12.5)


@pytest.mark.parametrize(("keyword", "side", "expected"), [
    ("Laterality", "", "U"),
    ("Laterality", "R", "R"),
    ("ImageLaterality", "L", "L"),
    ("Laterality", "LEFT", "U"),
])
def test_the_side_is_the_sources_where_that_says_one(keyword: str, side: str, expected: str, make_case) -> None:
    assert capture(make_case(edit=edited(lambda ds: setattr(ds, keyword, side)))).ImageLaterality == expected


def test_lungs_are_two(make_case) -> None:
    case = make_case()
    first, *others = case.result.findings
    nodule = replace(first, structure=replace(first.structure, region=LUNG))
    assert capture(replace(case, result=replace(case.result, findings=(nodule, *others)))).ImageLaterality == "B"


@pytest.mark.peer
@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("side", ["", "R"])
def test_dciodvfy_finds_no_error(enhanced: bool, side: str, make_case, tool, tmp_path: Path) -> None:
    edit = edited(lambda ds: setattr(ds, "Laterality", side))
    ds = capture(make_case(encoding=Encoding(enhanced=enhanced), edit=edit))
    ds.save_as(tmp_path / "capture.dcm")
    assert "Error" not in tool("dciodvfy", "-new", tmp_path / "capture.dcm")
