"""The diameters as lines: in the form that OHIF takes up, on the right slice, as long as they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from dicom_node.errors import ResultInvalid
from dicom_node.objects.bidirectional import crossed, encode_bidirectional, on_image
from dicom_node.objects.finish import part10
from dicom_node.objects.identity import JobNames
from dicom_node.objects.source import load_sources
from dicom_node.objects.validate import check_objects, groups
from inference.codes import LONG_AXIS, SHORT_AXIS
from inference.findings import Point
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding

SLANT = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])[:, ::-1]
GRIDS = {
    "anisotropic": Grid((9, 20, 26), regular_affine((-31.5, 12.25, -140), np.eye(3)[:, ::-1], Spacing(7.5, 0.4, 1.3))),
    "oblique": Grid((9, 20, 26), regular_affine((-31.5, 12.25, -140), SLANT, Spacing(3.0, 0.9, 0.7))),
}


def made(case) -> bytes:
    sources = load_sources(case.result, case.files)
    return part10(encode_bidirectional(case.result, sources, case.context.of_job("job")))


def report(case) -> Dataset:
    return dcmread(BytesIO(made(case)))


def children(item: Dataset, code: str) -> list[Dataset]:
    return [c for c in item.ContentSequence if c.ConceptNameCodeSequence[0].CodeValue == code]


def line(group: Dataset, meaning: str) -> tuple[float, Dataset]:
    """The length and the SCOORD of the axis of this meaning, which is what OHIF looks for."""
    (number,) = [c for c in group.ContentSequence if c.ConceptNameCodeSequence[0].CodeMeaning == meaning]
    (coordinates,) = number.ContentSequence
    return float(number.MeasuredValueSequence[0].NumericValue), coordinates


def test_it_is_a_measurement_report_in_a_series_of_its_own(measured_case) -> None:
    ds = report(measured_case())
    assert ds.SOPClassUID == Comprehensive3DSRStorage
    assert ds.ConceptNameCodeSequence[0].CodeValue == "126000"
    assert ds.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert ds.SeriesInstanceUID == JobNames("job").series("diameters")
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert ds.SeriesDescription.startswith("DEMONSTRATION: ")


def test_there_is_one_group_a_lesion_and_none_for_the_organ(measured_case) -> None:
    found = groups(report(measured_case()))
    assert [g.ContentTemplateSequence[0].TemplateIdentifier for g in found] == ["1501", "1501"]
    assert [children(g, "121106")[0].TextValue for g in found] == ["Liver tumour 1", "Liver tumour 2"]
    assert [children(g, "121071")[0].ConceptCodeSequence[0].CodeMeaning for g in found] == ["Neoplasm"] * 2
    assert [children(g, "363698007")[0].ConceptCodeSequence[0].CodeMeaning for g in found] == ["Liver"] * 2


def test_each_group_names_ohifs_tool_and_the_lesions_own_track(measured_case) -> None:
    found = groups(report(measured_case()))
    assert {children(g, "112039")[0].TextValue for g in found} == {"Cornerstone3DTools@^0.1.0:Bidirectional"}
    assert [children(g, "112040")[0].UID for g in found] == [JobNames("job").tracking(n) for n in ("2", "3")]


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("meaning", ["Long Axis", "Short Axis"])
def test_a_line_is_as_long_as_its_number_on_its_image(name: str, meaning: str, measured_case) -> None:
    case = measured_case(GRIDS[name])
    images = {str(ds.SOPInstanceUID): ds for ds in map(dcmread, case.files["CT"])}
    for group in groups(report(case)):
        length, coordinates = line(group, meaning)
        assert coordinates.GraphicType == "POLYLINE"
        (reference,) = coordinates.ContentSequence[0].ReferencedSOPSequence
        between_rows, between_columns = images[reference.ReferencedSOPInstanceUID].PixelSpacing
        first, second = np.reshape(coordinates.GraphicData, (2, 2)) * (between_columns, between_rows)
        assert np.linalg.norm(second - first) == pytest.approx(length, abs=1e-3)


def test_numbers_are_those_of_the_measurement_report(measured_case) -> None:
    case = measured_case()
    for group, finding in zip(groups(report(case)), case.result.findings[1:], strict=True):
        values = {m.quantity: m.value for m in finding.measurements}
        assert line(group, "Long Axis")[0] == pytest.approx(values[LONG_AXIS])
        assert line(group, "Short Axis")[0] == pytest.approx(values[SHORT_AXIS])


def test_the_long_axis_begins_and_ends_on_the_lesions_rim(measured_case) -> None:
    """PS3.3 C.18.6.1.2: 0, 0 is the outer corner of the first pixel, so pixel c spans c to c + 1."""
    case = measured_case()
    slices = [s.sop_instance_uid for s in case.result.sources["CT"]]
    for number, group in enumerate(groups(report(case)), start=2):
        _, coordinates = line(group, "Long Axis")
        z = slices.index(coordinates.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        rows, columns = np.nonzero(case.labels[z] == number)
        for x, y in np.reshape(coordinates.GraphicData, (2, 2)):
            assert (np.maximum(np.abs(columns + 0.5 - x), np.abs(rows + 0.5 - y)) <= 0.5 + 1e-4).any()


def test_the_first_pixels_centre_is_a_half() -> None:
    assert on_image((Point(0, 0), Point(row=2, column=-0.5))).tolist() == [[0.5, 0.5], [0.0, 2.5]]


def test_the_image_is_selected_by_the_line(measured_case) -> None:
    """An image that the line were inferred from would make DCMTK refuse the file."""
    for group in groups(report(measured_case())):
        for meaning in ("Long Axis", "Short Axis"):
            _, coordinates = line(group, meaning)
            assert coordinates.RelationshipType == "INFERRED FROM"
            assert coordinates.ContentSequence[0].RelationshipType == "SELECTED FROM"


def test_a_frame_of_a_multi_frame_image_is_named(measured_case) -> None:
    case = measured_case(encoding=Encoding(enhanced=True, reverse=True))
    for group, lesion in zip(groups(report(case)), crossed(case.result), strict=True):
        (reference,) = line(group, "Long Axis")[1].ContentSequence[0].ReferencedSOPSequence
        source = case.result.sources["CT"][lesion.axes.slice]
        assert (reference.ReferencedSOPInstanceUID, reference.ReferencedFrameNumber) == (
            source.sop_instance_uid, source.frame)


def test_it_lists_an_image_library(measured_case) -> None:
    case = measured_case()
    (group,) = children(children(report(case), "111028")[0], "126200")
    listed = [i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in group.ContentSequence]
    slices = sorted({lesion.axes.slice for lesion in crossed(case.result)})
    assert listed == [case.result.sources["CT"][z].sop_instance_uid for z in slices]
    assert slices[0] > 0, "else the next line would hold by itself"
    place = [float(child.MeasuredValueSequence[0].NumericValue) for code in ("110901", "110902", "110903")
             for child in children(group.ContentSequence[0], code)]
    assert place == pytest.approx([*case.result.grid.to_lps((slices[0], 0, 0))])


def test_a_lesion_without_axes_has_no_group(measured_case) -> None:
    case = measured_case()
    liver, first, second = case.result.findings
    result = replace(case.result, findings=(liver, replace(first, axes=None), second))
    assert [lesion.finding.number for lesion in crossed(result)] == [3]


def test_without_any_lesion_there_is_nothing_to_encode(make_case) -> None:
    with pytest.raises(ResultInvalid, match="no lesion"):
        made(make_case(empty=True))


def test_the_same_job_gives_the_same_bytes(measured_case) -> None:
    case = measured_case()
    assert made(case) == made(case)


@pytest.mark.parametrize("encoding", [Encoding(), Encoding(enhanced=True)], ids=["single", "enhanced"])
def test_checkers_and_other_readers_accept_it(encoding: Encoding, measured_case, tool: Callable[..., str],
                                              tmp_path: Path) -> None:
    case = measured_case(encoding=encoding)
    path = tmp_path / "diameters.dcm"
    path.write_bytes(made(case))
    check_objects([path.read_bytes()], case.result, load_sources(case.result, case.files), JobNames("job"))
    assert "Error" not in tool("dciodvfy", path)
    assert "SCOORD" in tool("dsrdump", path)
    tool("tid1500reader", "--inputDICOM", path, "--outputMetadata", tmp_path / "read.json")
    read = json.loads((tmp_path / "read.json").read_text())["Measurements"]
    assert [[float(m["value"]) for m in group["measurementItems"]] for group in read] == [
        pytest.approx([lesion.long_mm, lesion.short_mm]) for lesion in crossed(case.result)]
