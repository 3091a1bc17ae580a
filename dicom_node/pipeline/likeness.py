"""Whether two files under one SOP Instance UID hold the same picture, and in what their headers differ.

Pixels are compared as bytes, never decoded. Both files came from strangers: reading is bounded, in bytes and in steps
of parsing, and raises nothing but `Incomparable`, whose text holds no value, and `Unavailable` where the disk fails.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from dicom_node.errors import NodeError
from dicom_node.network.headers.elements import PARSE_FAULTS, CountedBytes, counted, items_at
from dicom_node.network.headers.header import MAX_HEADER_BYTES
from dicom_node.objects.copied import is_copied
from dicom_node.objects.stored import data_set_in
from storage.errors import Unavailable

MAX_INFLATED_BYTES = 512 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
UNDEFINED = 0xFFFFFFFF

# The same pixels have the same bytes in these.
NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian})
# What makes a picture of bytes, and what says where it lies: other values here are another picture.
PICTURE = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "Modality",
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept",
    "RescaleType", "ModalityLUTSequence", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "SpacingBetweenSlices", "GantryDetectorTilt",
    "ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID", "DimensionIndexSequence",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
_PICTURE = frozenset(tag for keyword in PICTURE if (tag := tag_for_keyword(keyword)) is not None)
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})


class Incomparable(NodeError):
    """One of the two files cannot be read as far as a comparison needs."""


@dataclass(frozen=True)
class Likeness:
    """What two contents of one instance have in common.

    `other_picture` names what makes them two pictures, "" where they are one. `changed` names the attributes
    of the header that differ, `copied` says whether results of ours copy one of these.
    """

    other_picture: str = ""
    changed: tuple[str, ...] = ()
    copied: bool = False


@dataclass(frozen=True)
class _Content:
    header: Dataset
    pixels: str  # a digest of the pixel data element's value
    form: str  # in what bytes equal pixels are equal


def compare(first: Path, first_syntax: str, second: Path, second_syntax: str) -> Likeness:
    """Compare two Part 10 files whose transfer syntaxes are known; Incomparable, Unavailable."""
    with counted(headers=2), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom quotes the values that it complains about
        one, other = _content(first, UID(first_syntax)), _content(second, UID(second_syntax))
        if one.form != other.form:
            return Likeness("the pixels' transfer syntax")
        if one.pixels != other.pixels:
            return Likeness("the pixels")
        tags = sorted({*one.header.keys(), *other.header.keys()})
        differ = [tag for tag in tags if _differs(one.header, other.header, tag)]
    picture = [tag for tag in differ if tag in _PICTURE]
    if picture:
        return Likeness(", ".join(_name(tag) for tag in picture))
    return Likeness("", tuple(_name(tag) for tag in differ), any(is_copied(tag) for tag in differ))


def _content(path: Path, syntax: UID) -> _Content:
    try:
        with path.open("rb") as file:
            stream, start = data_set_in(file, syntax, MAX_INFLATED_BYTES)
            return _read(stream, start, syntax)
    except FileNotFoundError:
        raise Incomparable("a content is no longer held") from None
    except OSError as trouble:
        if trouble.errno is None:  # pydicom's own, where a sequence ends too soon
            raise Incomparable("a content cannot be parsed (it ends too soon)") from None
        raise Unavailable(f"the archive's disk failed: {trouble.strerror}") from trouble
    except PARSE_FAULTS as fault:
        raise Incomparable(f"a content cannot be parsed ({type(fault).__name__})") from None


def _read(stream: BinaryIO, start: int, syntax: UID) -> _Content:
    stream.seek(start)
    head = CountedBytes(stream.read(MAX_HEADER_BYTES))
    found: list[tuple[int, str | None, int]] = []

    def at_the_pixels(tag: BaseTag, representation: str | None, length: int) -> bool:
        if tag not in _PIXELS:
            return False
        found.append((int(tag), representation, length))
        return True

    header = read_dataset(head, syntax.is_implicit_VR, syntax.is_little_endian, stop_when=at_the_pixels)
    digest = hashlib.sha256()
    if found:
        tag, representation, length = found[0]
        long_form = not syntax.is_implicit_VR and representation in EXPLICIT_VR_LENGTH_32
        digest.update(str(tag).encode())
        stream.seek(start + head.tell() + (12 if long_form else 8))
        _digest(stream, digest, None if length == UNDEFINED else length)
    elif stream.read(1):
        raise Incomparable(f"a content's header is longer than {MAX_HEADER_BYTES} bytes")
    return _Content(header, digest.hexdigest(), "native" if syntax in NATIVE else str(syntax))


def _digest(stream: BinaryIO, digest: Any, length: int | None) -> None:
    """Take `length` bytes, or all that follow: of encapsulated pixels the length is not said."""
    rest = length
    while chunk := stream.read(CHUNK_BYTES if rest is None else min(rest, CHUNK_BYTES)):
        digest.update(chunk)
        rest = None if rest is None else rest - len(chunk)


def _differs(one: Dataset, other: Dataset, tag: BaseTag) -> bool:
    if tag.element == 0:
        return False  # group lengths are retired, and say nothing
    # As they are: pydicom would convert what is empty, and raise where nobody knows its representation.
    first, second = (data.get_item(tag, keep_deferred=True) for data in (one, other))
    if first is None or second is None:
        return True
    raw = isinstance(first, RawDataElement) and isinstance(second, RawDataElement)
    if raw and _bare(first.value) == _bare(second.value):
        return False
    try:
        if _holds_items(first) and _holds_items(second):
            return _items_differ(one, other, tag)
        if _may_hold_items(first) or _may_hold_items(second):
            return True
        return bool(one[tag].value != other[tag].value)
    except PARSE_FAULTS:
        return True


def _items_differ(one: Dataset, other: Dataset, tag: BaseTag) -> bool:
    """Item by item and not by pydicom's own comparison, which counts no steps."""
    first, second = items_at(one, tag), items_at(other, tag)
    pairs = zip(first, second, strict=False)
    return len(first) != len(second) or any(_differs(a, b, tag) for a, b in pairs for tag in {*a.keys(), *b.keys()})


def _holds_items(element: DataElement | RawDataElement) -> bool:
    if element.VR in (None, "UN") and dictionary_has_tag(element.tag):
        return dictionary_VR(element.tag) == "SQ"
    return element.VR == "SQ"


def _may_hold_items(element: DataElement | RawDataElement) -> bool:
    """Of a private element whose representation is not said pydicom may know that it is a sequence."""
    return _holds_items(element) or (element.VR in (None, "UN") and element.tag.is_private)


def _bare(value: Any) -> Any:
    return value.rstrip(b" \0") if isinstance(value, bytes) else value


def _name(tag: BaseTag) -> str:
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
