"""Header elements as plain values."""

import struct

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicom_node.network.headers.elements import items_of, tag_of, value_of


def holding(keyword: str, vr: str | None, raw: bytes, *, little: bool = True, charset: bytes | None = None) -> Dataset:
    data = Dataset()
    tag = Tag(tag_of(keyword))
    data[tag] = RawDataElement(tag, vr, len(raw), raw, 0, vr is None, little)
    if charset is not None:
        there = Tag(tag_of("SpecificCharacterSet"))
        data[there] = RawDataElement(there, "CS", len(charset), charset, 0, False, True)
    return data


@pytest.mark.parametrize(
    ("keyword", "vr", "raw", "value"),
    [
        ("Modality", "CS", b"CT", "CT"),
        ("Modality", None, b"CT", "CT"),  # implicit VR: the dictionary knows
        ("Modality", "UN", b"CT", "CT"),  # somebody on the way did not know it
        ("SeriesDescription", "LO", b" lung 1.0 \0", "lung 1.0"),
        ("SliceThickness", "DS", b"2.50", 2.5),
        ("SliceThickness", "DS", b"", None),
        ("SliceThickness", "DS", b"  ", None),
        ("InstanceNumber", "IS", b"7 ", 7),
        ("InstanceNumber", "IS", b"7.0 ", 7),
        ("PixelSpacing", "DS", b"0.5\\0.7 ", [0.5, 0.7]),
        ("ImageType", "CS", b"ORIGINAL\\PRIMARY\\\\AXIAL", ["ORIGINAL", "PRIMARY", None, "AXIAL"]),
        ("Rows", "US", struct.pack("<H", 512), 512),
        ("EffectiveEchoTime", "FD", struct.pack("<d", 4.5), 4.5),
    ],
)
def test_values_are_plain(keyword, vr, raw, value):
    assert value_of(holding(keyword, vr, raw), keyword) == value


def test_big_endian_numbers():
    assert value_of(holding("Rows", "US", b"\x02\x00", little=False), "Rows") == 512


def test_what_is_not_there_is_none():
    assert value_of(Dataset(), "Modality") is None
    assert list(items_of(Dataset(), "ContributingEquipmentSequence")) == []


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        (None, b"M\xfcller", "Müller"),
        (b"ISO_IR 100", b"M\xfcller", "Müller"),
        (b"ISO_IR 192", "Łódź".encode(), "Łódź"),
        (b"ISO_IR 144", "Мозг".encode("iso8859_5"), "Мозг"),
        (b"nonsense", b"plain", "plain"),
    ],
)
@pytest.mark.filterwarnings("ignore:Unknown encoding")
def test_texts_are_read_in_their_character_set(charset, raw, text):
    assert value_of(holding("SeriesDescription", "LO", raw, charset=charset), "SeriesDescription") == text


@pytest.mark.parametrize(
    ("keyword", "vr", "raw"),
    [
        ("SliceThickness", "DS", b"thin"),
        ("SliceThickness", "DS", b"inf"),
        ("InstanceNumber", "IS", b"1e999"),
        ("Rows", "US", b"\x01"),
        ("EffectiveEchoTime", "FD", struct.pack("<d", float("nan"))),
        ("SeriesDescription", "LO", b"x" * 5000),
    ],
)
def test_what_is_no_value_raises_without_repeating_it(keyword, vr, raw):
    with pytest.raises(ValueError) as caught:
        value_of(holding(keyword, vr, raw), keyword)
    assert raw[:4].decode("latin1") not in str(caught.value)


def test_half_a_pair_of_surrogates_is_no_letter():
    """No database, page or JSON could hold it: one such image and nobody would be shown the list that it is in."""
    found = value_of(holding("PatientName", "PN", b"A+2AA-B^C", charset=b"utf-7"), "PatientName")
    assert found == "A?B^C"


def test_escapes_within_what_python_alone_calls_a_character_set_are_no_text():
    with pytest.raises(ValueError):
        value_of(holding("SeriesDescription", "LO", b"te\x1bxt", charset=b"hex"), "SeriesDescription")


def test_no_keyword_is_invented():
    with pytest.raises(KeyError):
        tag_of("ShoeSize")
