"""The presentation state draws each finding where its mask is, on its own layer, and leaves the images' look alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom.color import CIELabColor
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, GrayscaleSoftcopyPresentationStateStorage

from dicom_node.errors import ResultInvalid
from dicom_node.objects import presentation_state
from dicom_node.objects.finish import part10
from dicom_node.objects.identity import JobNames
from dicom_node.objects.presentation_state import encode_contours
from dicom_node.objects.source import load_sources
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding

SHAPE = (9, 20, 26)
LAYOUTS = {"single-frame": Encoding(), "enhanced": Encoding(enhanced=True),
           "enhanced, feet first": Encoding(enhanced=True, reverse=True)}
# Debian's dciodvfy of 2022 asks for Laterality (2C) where the body part is not paired, or not known to be.
FALSE_POSITIVE = "</Laterality(0020,0060)> - Missing attribute for Type 2C Conditional"


def tilted() -> Grid:
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return Grid(SHAPE, regular_affine((-31.5, 12.25, -140.0), turn[:, ::-1], Spacing(3.0, 0.9, 0.7)))


def state(case: Any, job: str = "job") -> Dataset:
    made = encode_contours(case.result, load_sources(case.result, case.files), case.context.of_job(job))
    return dcmread(BytesIO(part10(made)))


def slices(case: Any, item: Dataset) -> list[int]:
    """The slices that an item's references name."""
    where = {(s.sop_instance_uid, s.frame): z for z, s in enumerate(case.result.sources["CT"])}
    return [where[image.ReferencedSOPInstanceUID, frame and int(frame)] for image in item.ReferencedImageSequence
            for frame in np.atleast_1d(image.get("ReferencedFrameNumber"))]


def drawn(case: Any, ds: Dataset) -> dict[tuple[int, int], list[np.ndarray]]:
    """Lines as points (column, row), by slice and finding."""
    found: dict[tuple[int, int], list[np.ndarray]] = {}
    for annotation in ds.GraphicAnnotationSequence:
        for graphic in annotation.get("GraphicObjectSequence") or ():
            assert graphic.GraphicType == "POLYLINE"
            assert graphic.GraphicAnnotationUnits == "PIXEL"
            (z,) = slices(case, annotation)
            points = np.array(graphic.GraphicData).reshape(-1, 2)
            assert len(points) == graphic.NumberOfGraphicPoints
            assert np.array_equal(points[0], points[-1]), "closed"
            found.setdefault((z, int(annotation.GraphicLayer.split()[-1])), []).append(points)
    return found


def texts(ds: Dataset) -> list[tuple[str, Dataset, Dataset]]:
    return [(text.UnformattedTextValue, text, annotation) for annotation in ds.GraphicAnnotationSequence
            for text in annotation.get("TextObjectSequence") or ()]


def enclosed(polygons: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres lie inside (even-odd); 0\\0 is the first one's top left corner."""
    rows, columns = np.indices(shape) + 0.5
    inside = np.zeros(shape, dtype=bool)
    for points in polygons:
        for (x0, y0), (x1, y1) in pairwise(points):
            if y0 != y1:
                crosses = (min(y0, y1) <= rows) & (rows < max(y0, y1))
                inside ^= crosses & (x0 + (rows - y0) / (y1 - y0) * (x1 - x0) < columns)
    return inside


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("grid", ["axial", "oblique"])
def test_every_slice_with_a_finding_is_drawn_on_where_the_mask_is(
    grid: str, layout: str, make_case: Callable[..., Any]
) -> None:
    case = make_case(*([tilted()] if grid == "oblique" else []), encoding=LAYOUTS[layout])
    lines = drawn(case, state(case))
    expected = {(z, n) for z in range(SHAPE[0]) for n in (1, 2, 3) if (case.labels[z] == n).any()}
    assert set(lines) == expected
    for (z, number), polygons in lines.items():
        assert np.array_equal(enclosed(polygons, SHAPE[1:]), case.labels[z] == number)


def test_holes_are_drawn_too(make_case: Callable[..., Any]) -> None:
    case = make_case()
    assert len(drawn(case, state(case))[2, 1]) == 2, "the liver's rim, and the rim of the tumour in it"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_refers_to_each_annotated_image_once_and_to_no_other(layout: str, make_case: Callable[..., Any]) -> None:
    case = make_case(encoding=LAYOUTS[layout])
    ds = state(case)
    (series,) = ds.ReferencedSeriesSequence
    image = dcmread(case.files["CT"][0])
    assert series.SeriesInstanceUID == image.SeriesInstanceUID
    assert sorted(slices(case, series)) == [z for z in range(SHAPE[0]) if case.labels[z].any()]
    uids = [i.ReferencedSOPInstanceUID for i in series.ReferencedImageSequence]
    assert len(uids) == len(set(uids))
    assert {i.ReferencedSOPClassUID for i in series.ReferencedImageSequence} == {image.SOPClassUID}


def test_each_finding_is_a_layer_with_its_name_colour_and_track(make_case: Callable[..., Any]) -> None:
    case = make_case()
    ds = state(case)
    *layers, mark = ds.GraphicLayerSequence
    assert [layer.GraphicLayer for layer in layers] == ["FINDING 1", "FINDING 2", "FINDING 3"]
    assert mark.GraphicLayer == "MARK"
    for layer, found in zip(layers, case.result.findings, strict=True):
        assert layer.GraphicLayerDescription == found.label
        colour = CIELabColor.from_dicom_value(layer.GraphicLayerRecommendedDisplayCIELabValue)
        assert np.abs(np.array(colour.to_rgb()) - found.structure.rgb).max() <= 1
    tracks = {a.GraphicLayer: {g.TrackingUID for g in a.GraphicObjectSequence}
              for a in ds.GraphicAnnotationSequence if "GraphicObjectSequence" in a}
    assert tracks == {f"FINDING {n}": {JobNames("job").tracking(str(n))} for n in (1, 2, 3)}


def test_each_lesion_is_named_once_on_its_largest_slice(make_case: Callable[..., Any]) -> None:
    case = make_case()
    named = [(words, slices(case, annotation)) for words, text, annotation in texts(state(case))
             if "AnchorPoint" in text]
    assert sorted(named) == [("Liver tumour 1", [2]), ("Liver tumour 2", [5])]


def test_the_mark_stands_on_every_image(make_case: Callable[..., Any]) -> None:
    case = make_case()
    ds = state(replace(case, context=replace(case.context, incomplete="missing 3 images")))
    ((words, text, annotation),) = [t for t in texts(ds) if t[2].GraphicLayer == "MARK"]
    assert words.startswith("DEMONSTRATION - not for clinical use; liver-net 2.1")
    assert "missing 3 images" in words
    assert text.BoundingBoxAnnotationUnits == "DISPLAY"
    assert slices(case, annotation) == slices(case, ds.ReferencedSeriesSequence[0])
    assert ds.SeriesDescription.startswith("INCOMPLETE, DEMONSTRATION")


def windows(centre: Any, width: Any) -> Callable[[list[Path]], None]:
    """Give the files windows; one value each where a list is given."""

    def edit(files: list[Path]) -> None:
        for n, path in enumerate(files):
            image = dcmread(path)
            image.WindowCenter = centre[n] if isinstance(centre, list) else centre
            image["WindowWidth"] = DataElement("WindowWidth", "LO" if isinstance(width, str) else "DS", width)
            image.save_as(path)

    return edit


def test_the_images_keep_their_own_window_and_units(make_case: Callable[..., Any]) -> None:
    case = make_case(edit=windows(40, 350))
    ds = state(case)
    (voi,) = ds.SoftcopyVOILUTSequence
    assert (voi.WindowCenter, voi.WindowWidth) == (40, 350)
    assert "ReferencedImageSequence" not in voi, "it holds for all of them"
    image = dcmread(case.files["CT"][0])
    assert (ds.RescaleSlope, ds.RescaleIntercept) == (image.RescaleSlope, image.RescaleIntercept)
    assert ds.RescaleType == "HU"


@pytest.mark.parametrize(("interpretation", "shape"), [("MONOCHROME2", "IDENTITY"), ("MONOCHROME1", "INVERSE")])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_an_image_shows_white_stays_white(layout: str, interpretation: str, shape: str,
                                               make_case: Callable[..., Any]) -> None:
    def change(files: list[Path]) -> None:
        for path in files:
            image = dcmread(path)
            image.PhotometricInterpretation = interpretation
            image.save_as(path)

    assert state(make_case(encoding=LAYOUTS[layout], edit=change)).PresentationLUTShape == shape


def test_images_of_several_windows_keep_each_its_own(make_case: Callable[..., Any]) -> None:
    case = make_case(edit=windows([40 if n < 4 else 50 for n in range(9)], 350))
    by_centre = {float(voi.WindowCenter): slices(case, voi) for voi in state(case).SoftcopyVOILUTSequence}
    assert by_centre == {40.0: [1, 2, 3], 50.0: [4, 5, 6, 7]}


def test_frames_keep_the_window_of_the_frame(make_case: Callable[..., Any]) -> None:
    def edit(files: list[Path]) -> None:
        image = dcmread(files[0])
        for n, group in enumerate(image.PerFrameFunctionalGroupsSequence):
            voi = Dataset()
            voi.WindowCenter, voi.WindowWidth = 40 + 10 * (n % 2), 350
            group.FrameVOILUTSequence = [voi]
        image.save_as(files[0])

    case = make_case(encoding=Encoding(enhanced=True), edit=edit)
    by_centre = {float(voi.WindowCenter): slices(case, voi) for voi in state(case).SoftcopyVOILUTSequence}
    assert by_centre == {40.0: [2, 4, 6], 50.0: [1, 3, 5, 7]}


@pytest.mark.parametrize("width", [0, [350, 1500], "wide"])
def test_a_window_that_cannot_be_one_is_not_passed_on(width: object, make_case: Callable[..., Any]) -> None:
    assert "SoftcopyVOILUTSequence" not in state(make_case(edit=windows(40, width)))


def test_images_that_differ_in_rescale_state_none(make_case: Callable[..., Any]) -> None:
    """PS3.3 C.11.1: a state has one modality LUT for all of its images."""
    case = make_case(edit=windows(40, 350))
    image = dcmread(case.files["CT"][3])
    image.RescaleIntercept = float(image.RescaleIntercept) + 1
    image.save_as(case.files["CT"][3])
    ds = state(case)
    assert not {"RescaleSlope", "RescaleIntercept", "SoftcopyVOILUTSequence"} & set(ds.dir())


def test_pixels_keep_their_proportions(make_case: Callable[..., Any]) -> None:
    (area,) = state(make_case()).DisplayedAreaSelectionSequence
    assert [float(v) for v in area.PresentationPixelSpacing] == [0.9, 0.7]
    assert area.DisplayedAreaBottomRightHandCorner == [SHAPE[2], SHAPE[1]]
    assert "PresentationPixelAspectRatio" not in area


def test_lines_beyond_what_a_viewer_bears_are_left_out_and_counted(
    make_case: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case()
    labels = np.zeros(SHAPE, np.uint8)
    labels[4, ::2, ::2] = 1  # 130 single pixels
    labels[4, 3:5, 3:5] = 1
    labels[4, 1, 1] = 2
    np.save(case.result.labelmap, labels)
    monkeypatch.setattr(presentation_state, "MAX_LINES", 10)
    ds = state(case)
    lines = drawn(case, ds)
    assert {key: len(found) for key, found in lines.items()} == {(4, 1): 9, (4, 2): 1}
    assert max(np.ptp(points[:, 0]) for points in lines[4, 1]) > 1, "the largest is drawn"
    (note,) = [words for words, _, _ in texts(ds) if "not drawn" in words]
    assert note.startswith("The ")


def test_patient_and_study_are_the_images(make_case: Callable[..., Any]) -> None:
    case = make_case()
    ds, image = state(case), dcmread(case.files["CT"][0])
    assert ds.SOPClassUID == GrayscaleSoftcopyPresentationStateStorage
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "AccessionNumber", "StudyDate"):
        assert ds.get(keyword) == image.get(keyword), keyword


def test_names_repeat_and_so_do_bytes(make_case: Callable[..., Any]) -> None:
    case = make_case()
    sources = load_sources(case.result, case.files)
    first, second = (part10(encode_contours(case.result, sources, case.context.of_job("job"))) for _ in range(2))
    assert first == second
    ds, names = dcmread(BytesIO(first)), JobNames("job")
    assert (ds.SOPInstanceUID, ds.SeriesInstanceUID) == (names.instance("contours"), names.series("contours"))
    assert ds.SeriesNumber == names.series_number("contours")
    assert state(case, "another").SOPInstanceUID != ds.SOPInstanceUID


def test_no_findings_are_no_contours(make_case: Callable[..., Any]) -> None:
    with pytest.raises(ResultInvalid, match="no contours"):
        state(make_case(empty=True))


@pytest.mark.peer
@pytest.mark.parametrize("layout", LAYOUTS)
def test_dciodvfy_finds_no_error(
    layout: str, make_case: Callable[..., Any], tool: Callable[..., str], tmp_path: Path
) -> None:
    state(make_case(tilted(), LAYOUTS[layout])).save_as(tmp_path / "state.dcm")
    said = tool("dciodvfy", "-new", tmp_path / "state.dcm", succeeds=False)
    errors = [line for line in said.splitlines() if line.startswith("Error") and FALSE_POSITIVE not in line]
    assert errors == []
