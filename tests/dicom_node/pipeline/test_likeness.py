"""The same picture under another header is told from another picture, without decoding a pixel."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread, dcmwrite, filereader
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dicom_node.network.headers import elements
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


ITEMS = 3000
NO_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)  # 8 bytes to its sender, and hundreds to who makes a data set of it


def with_items(path: Path, undefined: bool, inner: int = 0) -> Path:
    """Put a Waveform Sequence of very many items before the pixels, where no header is looked at."""
    items = (NO_ITEM * ITEMS)[: -8 * inner or None]
    if not undefined:  # one item, within which they lie
        items = struct.pack("<HH2sxxI", 0x5400, 0x0100, b"SQ", len(items)) + items
        items = struct.pack("<HHI", 0xFFFE, 0xE000, len(items)) + items
    ends = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if undefined else b""
    length = 0xFFFFFFFF if undefined else len(items)
    content = path.read_bytes()
    pixels = content.index(b"\xe0\x7f\x10\x00OW")
    head = struct.pack("<HH2sxxI", 0x5400, 0x0100, b"SQ", length)
    path.write_bytes(content[:pixels] + head + items + ends + content[pixels:])
    return path


def test_a_header_of_too_many_items_is_incomparable(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = with_items(edited(image, PatientName="Right^Person"), undefined=True)
    assert like(image, other).changed == ("PatientName", "WaveformSequence")
    monkeypatch.setattr(elements, "MAX_STEPS", 1000)
    with pytest.raises(Incomparable, match="parsed"):
        like(image, other)


def test_items_within_items_are_compared_as_far_as_their_number_allows(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "MAX_STEPS", 1000)
    made: list[int] = []
    monkeypatch.setattr("pydicom.filereader.read_sequence_item", counting(made))
    one, other = (with_items(edited(image, f"{inner}.dcm"), undefined=False, inner=inner) for inner in (0, 1))
    assert like(one, other).changed == ("WaveformSequence",)
    assert len(made) <= 2 * elements.MAX_STEPS


def counting(made: list[int]) -> Callable[..., Any]:
    """pydicom's own reading of an item, which tells `made` of each."""
    read = filereader.read_sequence_item

    def counted(*arguments: Any, **options: Any) -> Any:
        made.append(1)
        return read(*arguments, **options)

    return counted


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_items_within_items_are_the_same_in_another_encoding(image: Path, syntax: str) -> None:
    one = edited(image, "one.dcm", SpecificCharacterSet="ISO_IR 100", ProcedureCodeSequence=[nested("Übersicht")])
    other = edited(image, "two.dcm", syntax, SpecificCharacterSet="ISO_IR 192",
                   ProcedureCodeSequence=[nested("Übersicht")])  # fmt: skip
    assert set(like(one, other).changed) == {"SpecificCharacterSet"}
    third = edited(one, "three.dcm", syntax, ProcedureCodeSequence=[nested("Uebersicht")])
    assert set(like(one, third).changed) == {"ProcedureCodeSequence"}


def nested(meaning: str) -> Dataset:
    """A code for the purpose of which another one of this meaning stands."""
    purpose, code = Dataset(), Dataset()
    for item, words in ((purpose, meaning), (code, "Schädel")):
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99X", words
    code.PurposeOfReferenceCodeSequence = [purpose]
    return code


def test_a_missing_file_is_incomparable(image: Path) -> None:
    with pytest.raises(Incomparable, match="no longer held"):
        compare(image, ExplicitVRLittleEndian, image.parent / "gone.dcm", ExplicitVRLittleEndian)


def test_a_failing_disk_makes_no_conflict(image: Path) -> None:
    with pytest.raises(Unavailable):
        compare(image, ExplicitVRLittleEndian, image.parent, ExplicitVRLittleEndian)
