"""What the scan finds is what pydicom reads; what is not ordinary is left to pydicom."""

import random
import struct
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from dicom_node.network.headers.elements import PARSE_FAULTS
from dicom_node.network.headers.scan import scan

TAGS = (0x00080005, 0x00080018, 0x00080060, 0x00100010, 0x00181063, 0x0020000D, 0x00280010, 0x00281053)
WANTED = {tag: Tag(tag) for tag in TAGS}


def header(**changes) -> Dataset:
    inner = Dataset()
    inner.ReferencedSOPInstanceUID = "1.2.3"
    outer = Dataset()
    outer.ReferencedSOPSequence = Sequence([inner, inner])
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPInstanceUID = "1.2.3.4"
    data.Modality = "CT"
    data.ReferencedStudySequence = Sequence([outer])
    data.PatientName = "Ärzte^Ä"
    data.FrameTime = "12.5"
    data.StudyInstanceUID = "1.2"
    data.Rows = 512
    data.RescaleSlope = "1"
    data.PixelData = bytes(64)
    data["PixelData"].VR = "OW"
    data.add_new(0x00091010, "UN", b"private")
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    return data


def encoded(data: Dataset, *, implicit=False, undefined=False) -> bytes:
    if undefined:
        for element in data.iterall():
            if element.VR == "SQ":
                element.is_undefined_length = True
                for item in element.value:
                    item.is_undefined_length_sequence_item = True
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, implicit
    write_dataset(buffer, data)
    return buffer.getvalue()


def by_pydicom(data: bytes, implicit: bool) -> dict:
    read = read_dataset(
        BytesIO(data), implicit, True, specific_tags=[Tag(tag) for tag in WANTED],
        stop_when=lambda tag, vr, length: tag > max(WANTED),
    )  # fmt: skip
    return {tag: (element.VR, element.value) for tag in WANTED if (element := read.get_item(tag)) is not None}


def found(data: bytes, implicit: bool) -> dict | None:
    elements = scan(memoryview(data), WANTED, implicit=implicit)
    return elements if elements is None else {int(tag): (one.VR, one.value) for tag, one in elements.items()}


@pytest.mark.parametrize("undefined", [False, True], ids=["lengths", "delimiters"])
@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
def test_it_finds_what_pydicom_reads(implicit, undefined):
    data = encoded(header(), implicit=implicit, undefined=undefined)
    assert found(data, implicit) == by_pydicom(data, implicit)
    assert set(found(data, implicit)) == set(WANTED)


def test_it_finds_what_pydicom_reads_in_a_scanners_file(ct_series):
    content = ct_series[0].read_bytes()
    data = content[144 + int.from_bytes(content[140:144], "little") :]
    assert found(data, False) == by_pydicom(data, False)
    assert found(data, False)[0x00080018][1].rstrip(b"\0").decode() == dcmread(ct_series[0]).SOPInstanceUID


def element(tag: int, representation: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, representation, len(value)) + value


SEQUENCE = struct.pack("<HH2sxxI", 0x0008, 0x1110, b"SQ", 0xFFFFFFFF)
DEEP = SEQUENCE + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
NOT_PLAIN = {
    "tags out of order": element(0x00080060, b"CS", b"CT") + element(0x00080018, b"UI", b"1.2\0"),
    "a tag twice": element(0x00080060, b"CS", b"CT") * 2,
    "an unknown representation": element(0x00080060, b"??", b"CT"),
    "implicit where explicit was agreed": struct.pack("<HHI", 8, 0x60, 2) + b"CT",
    "half an element's head": element(0x00080060, b"CS", b"CT") + b"\x08\0",
    "a value that does not end": element(0x00080060, b"CS", b"CT")[:-1],
    "a sequence that does not end": SEQUENCE,
    "a sequence of no items": SEQUENCE + element(0x00080060, b"CS", b"CT"),
    "an unnamed thing of undefined length": struct.pack("<HH2sxxI", 8, 0x1110, b"UN", 0xFFFFFFFF) + bytes(8),
    "sequences without a bottom": DEEP * 50,
    "more elements than any header has": DEEP + element(0x00080060, b"CS", b"") * 30_000,
    "a wanted sequence of undefined length": struct.pack("<HH2sxxI", 8, 0x18, b"SQ", 0xFFFFFFFF) + bytes(8),
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_ordinary_is_left_to_the_parser(name):
    assert found(NOT_PLAIN[name], False) is None


def test_nothing_is_an_ordinary_header_of_nothing():
    assert found(b"", False) == {}


def test_what_it_finds_in_spoilt_headers_is_what_pydicom_finds():
    draw, whole = random.Random(5), encoded(header(), undefined=True)
    looked_at = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 2)):
            at = draw.randrange(len(data))
            data[at : at + draw.randint(0, 2)] = draw.randbytes(draw.randint(0, 2))
        ours = found(bytes(data), False)
        if ours is not None and (theirs := by_pydicom_if_it_can(bytes(data))) is not None:
            looked_at += 1
            assert ours == theirs
    assert looked_at > 50


def by_pydicom_if_it_can(data: bytes) -> dict | None:
    try:
        return by_pydicom(data, False)
    except PARSE_FAULTS:  # of what the scan steps over
        return None
