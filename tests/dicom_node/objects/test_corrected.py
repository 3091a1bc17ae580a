"""The header of a stranger's segmentation: read in bounds, refused with a reason, never a crash."""

from __future__ import annotations

import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from dicom_node.network.headers import elements
from dicom_node.objects import corrected
from dicom_node.objects.corrected import BadSegmentation, Coded, Segmentation, read_segmentation
from dicom_node.objects.encode import encode
from dicom_node.objects.identity import JobNames
from dicom_node.objects.on_grid import lay_on
from inference.tasks import LIVER_TUMOUR
from storage.errors import Unavailable

JOB = "a" * 64


@pytest.fixture
def case(make_case: Callable[..., Any]) -> Any:
    return make_case()


@pytest.fixture
def seg(case: Any) -> Dataset:
    (made,) = [item for item in encode(case.result, JOB, case.files, case.context) if item.kind == "seg"]
    return dcmread(BytesIO(made.part10))


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Segmentation]:
    def run(seg: Dataset, syntax: str = ExplicitVRLittleEndian) -> Segmentation:
        seg.file_meta.TransferSyntaxUID = syntax
        seg.save_as(tmp_path / "seg.dcm")
        return read_segmentation(tmp_path / "seg.dcm")

    return run


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_it_says_what_it_is_and_what_it_cites(case: Any, seg: Dataset, read: Callable[..., Any], syntax: str) -> None:
    found = read(seg, syntax)
    assert [(s.number, s.type) for s in found.segments] == [
        (1, Coded("10200004", "SCT")), (2, Coded("108369006", "SCT")), (3, Coded("108369006", "SCT"))]
    assert found.segments[1].region == Coded("10200004", "SCT")
    assert found.tracking_uids == {JobNames(JOB).tracking(str(n)) for n in (1, 2, 3)}
    images = [dcmread(path, stop_before_pixels=True) for path in case.files["CT"]]
    assert found.cites == {images[0].SeriesInstanceUID, *(image.SOPInstanceUID for image in images)}
    assert found.automatic
    assert len(found.frames) == seg.NumberOfFrames
    assert "Liver" not in repr(found), "free text may name a patient"


def test_a_code_of_snomeds_old_scheme_is_the_number_that_took_its_place(seg: Dataset, read: Callable[..., Any]) -> None:
    """As older viewers write them (PS3.16 8.1)."""
    for segment, value in zip(seg.SegmentSequence, ("T-62000", "M-8FFFF", "M-03000"), strict=True):
        (code,) = segment.SegmentedPropertyTypeCodeSequence
        code.CodeValue, code.CodingSchemeDesignator = value, "SRT"
    assert [one.type for one in read(seg).segments] == [
        Coded("10200004", "SCT"), Coded("108369006", "SCT"), Coded("4147007", "SCT")]


def test_frames_tell_what_the_root_does_not(case: Any, seg: Dataset, read: Callable[..., Any]) -> None:
    del seg.ReferencedSeriesSequence, seg.SourceImageSequence
    assert read(seg).cites < {s.sop_instance_uid for s in case.result.sources["CT"]}


def test_a_person_had_a_hand_in_it(seg: Dataset, read: Callable[..., Any]) -> None:
    seg.SegmentSequence[1].SegmentAlgorithmType = "MANUAL"
    assert not read(seg).automatic


def without(keyword: str) -> Callable[[Dataset], None]:
    return lambda seg: delattr(seg, keyword)


def said(**values: Any) -> Callable[[Dataset], None]:
    return lambda seg: [setattr(seg, *pair) for pair in values.items()]  # type: ignore[return-value]


def twice(seg: Dataset) -> None:
    seg.SegmentSequence[1].SegmentNumber = 1


def placeless(seg: Dataset) -> None:
    del seg.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (said(SegmentationType="FRACTIONAL"), "of a form"),
        (said(SegmentationType="SURFACE"), "neither BINARY nor LABELMAP nor FRACTIONAL"),
        (without("SegmentSequence"), "no numbers of their own"),
        (twice, "no numbers of their own"),
        (placeless, "a frame has no ImagePositionPatient"),
        (without("PerFrameFunctionalGroupsSequence"), "each of its frames"),
        (said(NumberOfFrames=3), "each of its frames"),
        (said(Rows=2000), "fewer pixels"),
        (said(Rows=0), "fewer pixels"),
        (said(BitsAllocated=8), "of a form"),
        (without("PixelData"), "fewer pixels"),
        (said(PixelData=b"\0\0"), "fewer pixels"),
    ],
)
def test_what_lacks_something_is_refused_with_the_reason(
    seg: Dataset, read: Callable[..., Any], edit: Callable[[Dataset], None], why: str
) -> None:
    edit(seg)
    with pytest.raises(BadSegmentation, match=why):
        read(seg)


def test_size_is_looked_at_before_memory_is_taken(
    seg: Dataset, read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrected, "MAX_BYTES", 2000)
    with pytest.raises(BadSegmentation, match="larger than 2000 bytes"):
        read(seg)
    monkeypatch.setattr(corrected, "MAX_BYTES", 6000)
    with pytest.raises(BadSegmentation, match="cannot be read"):
        read(seg, DeflatedExplicitVRLittleEndian)


def test_a_bomb_of_empty_items_ends_by_its_steps(
    seg: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "MAX_STEPS", 20_000)
    seg.SourceImageSequence = []
    seg.save_as(tmp_path / "seg.dcm")
    data = (tmp_path / "seg.dcm").read_bytes()
    empty = b"\x08\x00\x12\x21SQ\0\0\0\0\0\0"
    assert empty in data
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 100_000
    bomb = b"\x08\x00\x12\x21SQ\0\0" + len(items).to_bytes(4, "little") + items
    (tmp_path / "seg.dcm").write_bytes(data.replace(empty, bomb))
    with pytest.raises(BadSegmentation, match="cannot be parsed"):
        read_segmentation(tmp_path / "seg.dcm")
    (tmp_path / "seg.dcm").write_bytes(data)
    read_segmentation(tmp_path / "seg.dcm")


def test_compressed_pixels_are_refused_and_a_missing_file_told(seg: Dataset, tmp_path: Path) -> None:
    seg.save_as(tmp_path / "seg.dcm")
    data = (tmp_path / "seg.dcm").read_bytes()
    plain, other = (b"UI\x14\x001.2.840.10008.1.2." + end for end in (b"1\0", b"9\0"))
    (tmp_path / "seg.dcm").write_bytes(data.replace(plain, other, 1))
    with pytest.raises(BadSegmentation, match="compressed"):
        read_segmentation(tmp_path / "seg.dcm")
    (tmp_path / "seg.dcm").unlink()
    with pytest.raises(BadSegmentation, match="no longer held"):
        read_segmentation(tmp_path / "seg.dcm")
    with pytest.raises(Unavailable):
        read_segmentation(tmp_path)


def test_damaged_bytes_are_refused_and_raise_nothing_else(case: Any, seg: Dataset, tmp_path: Path) -> None:
    seg.save_as(tmp_path / "seg.dcm")
    whole = (tmp_path / "seg.dcm").read_bytes()
    dice = random.Random(5)
    refused = 0
    for _ in range(120):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 5, 40))):
            data[dice.randrange(140, len(data))] = dice.randrange(256)
        del data[dice.choice((len(data), dice.randrange(200, len(data)))):]
        (tmp_path / "seg.dcm").write_bytes(data)
        try:
            lay_on(read_segmentation(tmp_path / "seg.dcm"), case.result.grid, LIVER_TUMOUR)
        except BadSegmentation:
            refused += 1
    assert refused > 30
