"""A SEG, whoever wrote it, is laid on the source grid by where its frames say that they lie, or refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from rounded_cosines import LONG_ROWS, round_cosines

from dicom_node.objects.corrected import BadSegmentation, Coded, Segment, read_segmentation
from dicom_node.objects.encode import encode
from dicom_node.objects.on_grid import Laid, lay_on, structure_of
from dicom_node.objects.profile import Profile
from inference.tasks import LIVER_TUMOUR
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding

TURNED = np.linalg.qr(np.array([[0.2, 0.3, 0.9], [0.1, 0.9, -0.3], [-0.95, 0.2, 0.1]]))[0]
OBLIQUE = Grid((9, 20, 26), regular_affine((-31.5, 12.25, -140.0), TURNED, Spacing(3.0, 0.9, 0.7)))
FORMS = {"binary": {}, "occupancy": {"seg": "occupancy"},
         "occupancy, rle": {"seg": "occupancy", "transfer_syntax": "rle"}, "labelmap": {"seg": "labelmap"},
         "rle": {"seg": "labelmap", "transfer_syntax": "rle"}, "implicit": {"transfer_syntax": "implicit"},
         "with empty frames": {"empty_frames": True}}


def seg_of(case: Any, **profile: Any) -> Dataset:
    context = replace(case.context, profile=Profile(**profile))
    (seg,) = [item for item in encode(case.result, "a" * 64, case.files, context) if item.kind == "seg"]
    path = case.result.labelmap.parent / "seg.dcm"
    path.write_bytes(seg.part10)
    return dcmread(path)


def laid(seg: Dataset, grid: Grid, folder: Path) -> Laid:
    seg.save_as(folder / "edited.dcm")
    return lay_on(read_segmentation(folder / "edited.dcm"), grid, LIVER_TUMOUR)


@pytest.mark.parametrize(
    ("form", "encoding"),
    [*((form, Encoding()) for form in FORMS), ("binary", Encoding(reverse=True)), ("binary", Encoding(enhanced=True))],
)
def test_every_form_gives_the_mask_back(
    make_case: Callable[..., Any], tmp_path: Path, form: str, encoding: Encoding
) -> None:
    case = make_case(OBLIQUE, encoding)
    found = laid(seg_of(case, **FORMS[form]), case.result.grid, tmp_path)
    np.testing.assert_array_equal(found.labels, np.minimum(case.labels, 2))
    assert (found.described, found.unknown) == ({1, 2}, ())


def test_cosines_of_three_decimals_lead_back_to_the_voxels(make_case: Callable[..., Any], tmp_path: Path) -> None:
    case = make_case(LONG_ROWS, edit=round_cosines)
    np.testing.assert_array_equal(laid(seg_of(case), case.result.grid, tmp_path).labels, np.minimum(case.labels, 2))


def shuffle(seg: Dataset) -> None:
    """Frames in another order, with their bits."""
    size = seg.Rows * seg.Columns
    bits = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")[: seg.NumberOfFrames * size]
    order = np.random.default_rng(3).permutation(seg.NumberOfFrames)
    seg.PixelData = pad(np.packbits(bits.reshape(-1, size)[order].ravel(), bitorder="little").tobytes())
    seg.PerFrameFunctionalGroupsSequence = Sequence([seg.PerFrameFunctionalGroupsSequence[i] for i in order])


def pad(data: bytes) -> bytes:
    return data + bytes(len(data) % 2)


def turn(seg: Dataset) -> None:
    """Each frame upside down and cropped by its last column: the same places under another geometry."""
    frames = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    frames = frames[: seg.NumberOfFrames * seg.Rows * seg.Columns].reshape(-1, seg.Rows, seg.Columns)[:, ::-1, :-1]
    shared = seg.SharedFunctionalGroupsSequence[0]
    spacing = float(shared.PixelMeasuresSequence[0].PixelSpacing[0])
    orientation = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    for group in seg.PerFrameFunctionalGroupsSequence:
        at = group.PlanePositionSequence[0]
        last = np.array(at.ImagePositionPatient, float) + orientation[3:] * spacing * (seg.Rows - 1)
        at.ImagePositionPatient = [f"{v:.9g}" for v in last]
    orientation[3:] *= -1
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [f"{v:.12g}" for v in orientation]
    seg.Columns -= 1
    seg.PixelData = pad(np.packbits(frames.ravel(), bitorder="little").tobytes())


@pytest.mark.parametrize("edit", [shuffle, turn])
def test_geometry_rules_whatever_the_order_and_the_turn(
    make_case: Callable[..., Any], tmp_path: Path, edit: Callable[[Dataset], None]
) -> None:
    case = make_case(OBLIQUE)
    seg = seg_of(case)
    edit(seg)
    np.testing.assert_array_equal(laid(seg, case.result.grid, tmp_path).labels, np.minimum(case.labels, 2))


def test_what_all_frames_share_may_stand_in_the_shared_groups(make_case: Callable[..., Any], tmp_path: Path) -> None:
    case = make_case()
    seg = seg_of(case, seg_per="task")
    del seg.SegmentSequence[1:]
    keep = [g for g in seg.PerFrameFunctionalGroupsSequence
            if g.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 1]
    bits = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    seg.PixelData = pad(np.packbits(bits[: len(keep) * seg.Rows * seg.Columns], bitorder="little").tobytes())
    seg.NumberOfFrames, seg.PerFrameFunctionalGroupsSequence = len(keep), Sequence(keep)
    seg.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence = keep[0].SegmentIdentificationSequence
    for group in keep:
        del group.SegmentIdentificationSequence
    found = laid(seg, case.result.grid, tmp_path)
    np.testing.assert_array_equal(found.labels == 1, case.labels == 1)
    assert found.described == {1}


def retype(seg: Dataset, value: str, label: str, *numbers: int) -> None:
    for item in seg.SegmentSequence:
        if item.SegmentNumber in numbers:
            item.SegmentedPropertyTypeCodeSequence[0].CodeValue = value
            item.SegmentLabel = label


def test_an_unknown_type_is_told_and_not_guessed(make_case: Callable[..., Any], tmp_path: Path) -> None:
    case = make_case()
    seg = seg_of(case)
    retype(seg, "999\x1b", "Doe^Jane", 3)
    found = laid(seg, case.result.grid, tmp_path)
    np.testing.assert_array_equal(found.labels, np.where(case.labels == 3, 0, case.labels))
    assert [str(kind) for kind in found.unknown] == ["999 SCT"]


def test_a_name_of_ours_tells_where_the_type_does_not(make_case: Callable[..., Any], tmp_path: Path) -> None:
    case = make_case()
    seg = seg_of(case)
    retype(seg, "M-80000", "liver tumour 7", 2, 3)
    np.testing.assert_array_equal(laid(seg, case.result.grid, tmp_path).labels, np.minimum(case.labels, 2))


def test_of_one_type_the_region_decides() -> None:
    tumour = LIVER_TUMOUR.structure(2)
    lung = replace(tumour, label=9, region=(("39607008", "SCT", "Lung")))
    card = replace(LIVER_TUMOUR, structures=(tumour, lung))
    kind = Coded(*tumour.type[:2])
    assert structure_of(Segment(1, kind, Coded("39607008", "SCT")), card) == lung
    assert structure_of(Segment(1, kind), card) is None


def refusal(seg: Dataset, grid: Grid, folder: Path) -> str:
    """The sentence with which it is refused."""
    with pytest.raises(BadSegmentation) as refused:
        laid(seg, grid, folder)
    return str(refused.value)


def move(seg: Dataset) -> None:
    at = seg.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    at.ImagePositionPatient = [float(at.ImagePositionPatient[0]) + 0.3, *at.ImagePositionPatient[1:]]


def far_away(seg: Dataset) -> None:
    at = seg.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    at.ImagePositionPatient = ["1e300", "0", "0"]


def resample(seg: Dataset) -> None:
    seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0.9, 0.75]


def outside(seg: Dataset) -> None:
    for group in seg.PerFrameFunctionalGroupsSequence:
        at = group.PlanePositionSequence[0]
        at.ImagePositionPatient = [*at.ImagePositionPatient[:2], float(at.ImagePositionPatient[2]) + 300.0]


def other_frame(seg: Dataset) -> None:
    seg.FrameOfReferenceUID = "1.2.3"


def undescribed(seg: Dataset) -> None:
    group = seg.PerFrameFunctionalGroupsSequence[0]
    group.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 77


def large(seg: Dataset) -> None:
    seg.Rows, seg.Columns = 1, seg.Rows * seg.Columns


def strange(seg: Dataset) -> None:
    retype(seg, "1", "Doe", 1, 2, 3)


@pytest.mark.parametrize(
    ("edit", "why"),
    [(move, "do not lie on the series' voxels"), (far_away, "nowhere near"), (resample, "do not lie on"),
     (outside, "outside the series"), (other_frame, "frame of reference"), (undescribed, "not described"),
     (large, "larger than the series"), (strange, "none of its segments is a structure of liver_tumour: 1 SCT")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    make_case: Callable[..., Any], tmp_path: Path, edit: Callable[[Dataset], None], why: str
) -> None:
    case = make_case()
    seg = seg_of(case)
    edit(seg)
    grid = replace(case.result.grid, frame_of_reference_uid=case.result.grid.frame_of_reference_uid or "1.9")
    if edit is not other_frame:
        grid = replace(grid, frame_of_reference_uid="")
    told = refusal(seg, grid, tmp_path)
    assert why in told
    assert "Doe" not in told


def test_a_labelmap_of_undescribed_numbers_is_refused(make_case: Callable[..., Any], tmp_path: Path) -> None:
    case = make_case()
    seg = seg_of(case, seg="labelmap")
    del seg.SegmentSequence[-1]
    assert "not described" in refusal(seg, case.result.grid, tmp_path)


@pytest.mark.parametrize("most", [254, 0])
def test_fractions_are_refused(make_case: Callable[..., Any], tmp_path: Path, most: int) -> None:
    case = make_case()
    seg = seg_of(case, seg="occupancy")
    seg.MaximumFractionalValue = most
    assert "fractions" in refusal(seg, case.result.grid, tmp_path)


def test_a_lesion_lies_over_the_organ_that_it_is_drawn_in(make_case: Callable[..., Any], tmp_path: Path) -> None:
    case = make_case()
    seg = seg_of(case)
    seg.SegmentSequence[2].SegmentedPropertyTypeCodeSequence = seg.SegmentSequence[0].SegmentedPropertyTypeCodeSequence
    for group in seg.PerFrameFunctionalGroupsSequence:
        identification = group.SegmentIdentificationSequence[0]
        if identification.ReferencedSegmentNumber == 1:
            identification.ReferencedSegmentNumber = 2  # the organ's frames are the tumour's now…
        elif identification.ReferencedSegmentNumber == 2:
            identification.ReferencedSegmentNumber = 1  # …and the first lesion the liver
    found = laid(seg, case.result.grid, tmp_path)
    expected = np.select([case.labels == 1, case.labels > 1], [2, 1], 0)
    np.testing.assert_array_equal(found.labels, expected)


@pytest.mark.parametrize("form", ["occupancy", "labelmap"])
def test_damaged_rle_is_refused_or_laid_and_nothing_else(
    form: str, make_case: Callable[..., Any], tmp_path: Path
) -> None:
    """A decoder that panics would end the stage."""
    case, rng, refused = make_case(), np.random.default_rng(0), 0
    seg = seg_of(case, seg=form, transfer_syntax="rle")
    whole = bytes(seg.PixelData)
    for _ in range(20):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole) // 2, len(whole), 20):
            damaged[place] = int(rng.integers(256))
        seg.PixelData = bytes(damaged)
        with contextlib.suppress(BadSegmentation):
            laid(seg, case.result.grid, tmp_path)
            continue
        refused += 1
    assert refused > 5
