"""The same picture under another header is told from another picture, without decoding a pixel."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dicom_node.pipeline import likeness
from dicom_node.pipeline.likeness import Incomparable, Likeness, compare
from storage.errors import Unavailable


@pytest.fixture
def image(make_slices: Callable[..., list[Path]]) -> Path:
    return make_slices(1)[0]


def edited(image: Path, name: str = "other.dcm", syntax: str = ExplicitVRLittleEndian, **changes: Any) -> Path:
    data = dcmread(image)
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    data.file_meta.TransferSyntaxUID = syntax
    dcmwrite(image.parent / name, data, enforce_file_format=True)
    return image.parent / name


def like(one: Path, other: Path) -> Likeness:
    first, second = (str(dcmread(path).file_meta.TransferSyntaxUID) for path in (one, other))
    return compare(one, first, other, second)


def test_demographics_are_a_correction_that_results_copy(image: Path) -> None:
    found = like(image, edited(image, PatientName="Right^Person", PatientBirthDate="19710101", StudyDate="20260103"))
    assert found == Likeness("", ("StudyDate", "PatientName", "PatientBirthDate"), copied=True)


@pytest.mark.parametrize("keyword", ["PatientID", "PatientSex", "AccessionNumber", "ReferringPhysicianName",
                                     "StudyDescription", "StudyID", "InstitutionName", "PatientAge"])  # fmt: skip
def test_every_such_attribute_counts_also_a_new_one(image: Path, keyword: str) -> None:
    value = "040Y" if keyword == "PatientAge" else "M" if keyword == "PatientSex" else "NEW"
    assert like(image, edited(image, **{keyword: value})) == Likeness("", (keyword,), copied=True)


def test_texts_of_the_series_are_a_correction_that_results_do_not_copy(image: Path) -> None:
    found = like(image, edited(image, SeriesDescription="better", BodyPartExamined="ABDOMEN"))
    assert (found.other_picture, found.copied) == ("", False)
    assert set(found.changed) == {"SeriesDescription", "BodyPartExamined"}


def test_a_sequence_may_be_corrected(image: Path) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", "x"
    assert like(image, edited(image, ProcedureCodeSequence=[code])).copied


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImagePositionPatient", [0, 0, 7]),
        ("PixelSpacing", [2, 2]),
        ("RescaleIntercept", 0),
        ("FrameOfReferenceUID", "1.2.77"),
        ("PhotometricInterpretation", "MONOCHROME1"),
        ("SeriesInstanceUID", "1.2.78"),
    ],
)
def test_what_makes_or_places_the_picture_is_no_correction(image: Path, keyword: str, value: Any) -> None:
    found = like(image, edited(image, PatientName="Right^Person", **{keyword: value}))
    assert keyword in found.other_picture


def test_other_pixels_are_another_picture(image: Path) -> None:
    data = dcmread(image)
    assert like(image, edited(image, PixelData=bytes(len(data.PixelData)))).other_picture == "the pixels"


def test_a_number_written_otherwise_is_the_same_number(image: Path) -> None:
    assert like(image, edited(image, PixelSpacing=["1.000", "1.0"])) == Likeness()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_the_same_bytes_in_another_encoding_are_the_same_picture(image: Path, syntax: str) -> None:
    assert like(image, edited(image, syntax=syntax, PatientName="Right^Person")).changed == ("PatientName",)


def test_pixels_whose_bytes_cannot_be_compared_are_two_pictures(image: Path) -> None:
    data = dcmread(image)
    rle = dcmread(image)
    rle.PixelData = encapsulate([data.PixelData])
    rle["PixelData"].is_undefined_length = True
    rle.file_meta.TransferSyntaxUID = RLELossless
    rle.save_as(image.parent / "rle.dcm")
    assert like(image, image.parent / "rle.dcm").other_picture == "the pixels' transfer syntax"


def test_encapsulated_pixels_are_compared_to_the_end(image: Path) -> None:
    paths = []
    for number, name in enumerate(("Doe^Jane", "Right^Person", "Right^Person")):
        data = dcmread(image)
        data.PatientName = name
        data.PixelData = encapsulate([bytes(100) if number < 2 else bytes(99) + b"\1"])
        data["PixelData"].is_undefined_length = True
        data.file_meta.TransferSyntaxUID = RLELossless
        paths.append(image.parent / f"{number}.dcm")
        data.save_as(paths[-1])
    assert like(paths[0], paths[1]) == Likeness("", ("PatientName",), copied=True)
    assert like(paths[1], paths[2]).other_picture == "the pixels"


@pytest.mark.parametrize("value", [b"", b"ab"])
def test_an_element_of_a_representation_that_nobody_knows_is_compared_as_it_is(image: Path, value: bytes) -> None:
    corrected = edited(image, PatientName="Right^Person")
    odd = ("(0009,1001)",) if value else ()
    assert like(with_odd(image, b""), with_odd(corrected, value)) == Likeness("", (*odd, "PatientName"), copied=True)


def with_odd(path: Path, value: bytes) -> Path:
    """Put an element of the representation "OX" where the patient's name begins, as some writers do."""
    content = path.read_bytes()
    name = content.index(b"\x10\x00\x10\x00PN")
    element = struct.pack("<HH2sH", 0x0009, 0x1001, b"OX", len(value)) + value
    path.write_bytes(content[:name] + element + content[name:])
    return path


LONG_HEAD = bytes(128) + b"DICM\x02\0\0\0UL\x04\0\xff\xff\xff\x7f"


@pytest.mark.parametrize("content", [b"", b"no image", bytes(200), LONG_HEAD])
def test_what_is_no_file_is_incomparable_or_holds_nothing(image: Path, content: bytes) -> None:
    broken = image.parent / "broken.dcm"
    broken.write_bytes(content)
    try:
        found = compare(image, ExplicitVRLittleEndian, broken, ExplicitVRLittleEndian)
    except Incomparable:
        return
    assert found.other_picture, "it is never taken for a correction"


def test_a_header_without_end_is_incomparable(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "MAX_HEADER_BYTES", 200)
    with pytest.raises(Incomparable):
        compare(image, ExplicitVRLittleEndian, image, ExplicitVRLittleEndian)


def test_a_bomb_is_incomparable(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deflated = edited(image, syntax=DeflatedExplicitVRLittleEndian)
    monkeypatch.setattr(likeness, "MAX_INFLATED_BYTES", 500)
    with pytest.raises(Incomparable, match="parsed"):
        compare(deflated, DeflatedExplicitVRLittleEndian, deflated, DeflatedExplicitVRLittleEndian)


def test_a_missing_file_is_incomparable(image: Path) -> None:
    with pytest.raises(Incomparable, match="no longer held"):
        compare(image, ExplicitVRLittleEndian, image.parent / "gone.dcm", ExplicitVRLittleEndian)


def test_a_failing_disk_makes_no_conflict(image: Path) -> None:
    with pytest.raises(Unavailable):
        compare(image, ExplicitVRLittleEndian, image.parent, ExplicitVRLittleEndian)
