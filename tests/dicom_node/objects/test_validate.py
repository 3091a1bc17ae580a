"""Each thing that must not leave is caught, on the bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pytest
from beside_prior import GROWN_UID
from pydicom import dcmread
from pydicom.dataset import Dataset
from rounded_cosines import LONG_ROWS, round_cosines

from dicom_node.errors import ResultInvalid
from dicom_node.objects.capture import encode_key_images
from dicom_node.objects.encode import encode
from dicom_node.objects.finish import part10
from dicom_node.objects.identity import JobNames
from dicom_node.objects.profile import Profile
from dicom_node.objects.source import load_sources
from dicom_node.objects.validate import check_capture, check_objects, groups


def spoil_pixel(seg: Dataset) -> None:
    pixels = bytearray(seg.PixelData)
    pixels[len(pixels) // 2] ^= 1
    seg.PixelData = bytes(pixels)


def swap_sources(seg: Dataset) -> None:
    first, second = (g.DerivationImageSequence for g in seg.PerFrameFunctionalGroupsSequence[:2])
    first[0].SourceImageSequence, second[0].SourceImageSequence = (
        second[0].SourceImageSequence, first[0].SourceImageSequence)


def drop_frame(seg: Dataset) -> None:
    seg.PerFrameFunctionalGroupsSequence = seg.PerFrameFunctionalGroupsSequence[:-1]
    seg.NumberOfFrames -= 1


def shift_frame(seg: Dataset) -> None:
    seg.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0].ImagePositionPatient[2] += 3


def point_nowhere(seg: Dataset) -> None:
    image = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    image.ReferencedSOPInstanceUID = "2.25.1"


def set_first_segment(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda seg: setattr(seg.SegmentSequence[0], keyword, value)


def child(group: Dataset, code: str) -> Dataset:
    return next(c for c in group.ContentSequence if c.ConceptNameCodeSequence[0].CodeValue == code)


def reverse_groups(sr: Dataset) -> None:
    container = child(sr, "126010")
    container.ContentSequence = list(container.ContentSequence)[::-1]


def other_track(sr: Dataset) -> None:
    child(groups(sr)[1], "112040").UID = "2.25.1"


def unknown_segment(sr: Dataset) -> None:
    child(groups(sr)[1], "121191").ReferencedSOPSequence[0].ReferencedSegmentNumber = 9


def unknown_image(sr: Dataset) -> None:
    library = child(child(sr, "111028"), "126200")
    library.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "2.25.1"


def no_evidence(sr: Dataset) -> None:
    del sr.CurrentRequestedProcedureEvidenceSequence


NAMES = JobNames("job")

SPOILT = {
    "a voxel": (0, spoil_pixel, "is not the mask"),
    "the frames' sources": (0, swap_sources, "lies elsewhere"),
    "a frame too few": (0, drop_frame, "voxels"),
    "a frame's position": (0, shift_frame, "lies elsewhere"),
    "a frame's reference": (0, point_nowhere, "no source slice"),
    "a segment's number": (0, set_first_segment("SegmentNumber", 7), "not in its place"),
    "a segment's track": (0, set_first_segment("TrackingUID", ""), "TrackingUID"),
    "a segment's colour": (0, set_first_segment("RecommendedDisplayCIELabValue", None), "CIELab"),
    "the order of groups": (1, reverse_groups, "order"),
    "a group's track": (1, other_track, "one track"),
    "a group's segment": (1, unknown_segment, "one track"),
    "a cited image": (1, unknown_image, "unknown instance"),
    "the evidence": (1, no_evidence, "evidence lacks"),
    "the patient": (2, lambda ds: setattr(ds, "PatientID", "OTHER"), "another PatientID"),
    "the study": (1, lambda ds: setattr(ds, "StudyInstanceUID", "2.25.5"), "another StudyInstanceUID"),
    "the UID": (2, lambda ds: setattr(ds, "SeriesInstanceUID", "1.02.3"), "no UID"),
    "the equipment": (0, lambda ds: delattr(ds, "ContributingEquipmentSequence"), "ContributingEquipment"),
}


@pytest.fixture
def made(make_case):
    case = make_case()
    datasets = [dcmread(BytesIO(e.part10)) for e in encode(case.result, "job", case.files, case.context)]
    return case, datasets, load_sources(case.result, case.files)


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_object_does_not_leave(name: str, made) -> None:
    case, datasets, sources = made
    index, spoil, reason = SPOILT[name]
    spoil(datasets[index])
    with pytest.raises(ResultInvalid, match=reason):
        check_objects([part10(ds) for ds in datasets], case.result, sources, NAMES)


def test_whole_objects_of_every_kind_pass(made) -> None:
    case, datasets, sources = made
    check_objects([part10(ds) for ds in datasets], case.result, sources, NAMES)
    assert [ds.Modality for ds in datasets] == ["SEG", "SR", "SR"], "the SEG, its measurements and the summary"


def test_a_voxel_of_an_occupancy_that_is_half_within_does_not_leave(make_case) -> None:
    case = make_case()
    context = replace(case.context, profile=Profile(seg="occupancy", sr="none"))
    (made,) = encode(case.result, "job", case.files, context)
    seg, sources = dcmread(BytesIO(made.part10)), load_sources(case.result, case.files)
    seg.PixelData = seg.PixelData.replace(b"\xff", b"\x80", 1)
    with pytest.raises(ResultInvalid, match="neither in its segment nor out"):
        check_objects([part10(seg)], case.result, sources, JobNames("job", context.profile.variant))


def test_two_objects_of_one_uid_do_not_leave(made) -> None:
    case, datasets, sources = made
    with pytest.raises(ResultInvalid, match="share a SOPInstanceUID"):
        check_objects([part10(datasets[2])] * 2, case.result, sources, NAMES)


def test_slices_that_lie_elsewhere_than_the_models_grid_do_not_leave(made) -> None:
    case, datasets, sources = made
    moved = case.result.grid.affine.copy()
    moved[2, 3] += 3.0
    result = replace(case.result, grid=replace(case.result.grid, affine=moved))
    with pytest.raises(ResultInvalid, match="not where its image is"):
        check_objects([part10(ds) for ds in datasets], result, sources, NAMES)


def test_cosines_of_three_decimals_put_no_long_row_elsewhere(make_case) -> None:
    case = make_case(LONG_ROWS, edit=round_cosines)
    assert {one.kind for one in encode(case.result, "job", case.files, case.context)} == {"seg", "sr", "summary"}


def cite_nothing(picture: Dataset) -> None:
    del picture.SourceImageSequence


def cite_a_stranger(picture: Dataset) -> None:
    picture.SourceImageSequence[0].ReferencedSOPInstanceUID = "2.25.1"


def move(picture: Dataset) -> None:
    picture.ImagePositionPatient[2] += 3


def leave_the_frame_of_reference(picture: Dataset) -> None:
    picture.FrameOfReferenceUID = "2.25.2"


def enlarge(picture: Dataset) -> None:
    picture.Rows *= 2


def lose_a_row(picture: Dataset) -> None:
    picture.PixelData = picture.PixelData[:-3 * picture.Columns]


def turn_grey(picture: Dataset) -> None:
    picture.PhotometricInterpretation = "MONOCHROME2"


def hide_the_words(picture: Dataset) -> None:
    picture.BurnedInAnnotation = "NO"


@pytest.mark.parametrize(("spoil", "reason"), [
    (cite_nothing, "cites no source slice"),
    (cite_a_stranger, "cites no source slice"),
    (move, "ImagePositionPatient"),
    (leave_the_frame_of_reference, "FrameOfReferenceUID"),
    (enlarge, "Rows"),
    (lose_a_row, "pixels"),
    (turn_grey, "not in colour"),
    (hide_the_words, "burned in"),
])
def test_a_picture_that_is_not_its_source_slices_is_caught(spoil: Callable, reason: str, make_case) -> None:
    case = make_case()
    sources = load_sources(case.result, case.files)
    picture = encode_key_images(case.result, sources, case.files, case.context.of_job("job"), count=1)[0]
    check_capture(picture, sources)
    spoil(picture)
    with pytest.raises(ResultInvalid, match=reason):
        check_capture(picture, sources)


def lose_a_lesion(summary: Dataset) -> None:
    container = child(summary, "126010")
    container.ContentSequence = [group for group in container.ContentSequence
                                 if child(group, "112040").UID != GROWN_UID]


def double_a_lesion(summary: Dataset) -> None:
    container = child(summary, "126010")
    container.ContentSequence = [*container.ContentSequence, groups(summary)[-2]]


@pytest.mark.parametrize("spoil", [lose_a_lesion, double_a_lesion])
def test_a_summary_that_tells_not_of_each_lesion_once_does_not_leave(spoil: Callable, followed_case) -> None:
    case = followed_case()
    datasets = [dcmread(BytesIO(e.part10)) for e in encode(case.result, "job", case.files, case.context)]
    spoil(datasets[2])
    with pytest.raises(ResultInvalid, match="not one group of its track"):
        check_objects([part10(ds) for ds in datasets], case.result, load_sources(case.result, case.files), NAMES)


@pytest.mark.parametrize(("place", "track"), [(0, "2.25.9"), (2, GROWN_UID)],
                         ids=["seen, by a track of no segment", "gone, by a segment's track"])
def test_a_trend_that_names_other_tracks_than_the_segments_does_not_leave(place: int, track: str,
                                                                          followed_case) -> None:
    case = followed_case()
    trend = case.result.trend
    lesions = [replace(one, tracking_uid=track if at == place else one.tracking_uid)
               for at, one in enumerate(trend.lesions) if at in (place, 1)]
    result = replace(case.result, trend=replace(trend, lesions=tuple(lesions)))
    with pytest.raises(ResultInvalid, match="not of one track"):
        encode(result, "job", case.files, case.context)
