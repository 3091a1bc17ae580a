"""The few attributes of a file that become a volume, by pydicom's element generator and without the rest of a data set.

What several files of a series say alike is converted once: of 400 slices most say most things alike.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any, BinaryIO, TypeAlias

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from inference.readers.faults import DICOM_FAULTS
from inference.readers.headers import KEYWORDS

IMAGE_PIXEL = {  # PS3.3 C.7.6.3, and what pydicom's decoders call it
    "SamplesPerPixel": "samples_per_pixel", "PhotometricInterpretation": "photometric_interpretation",
    "PlanarConfiguration": "planar_configuration", "NumberOfFrames": "number_of_frames", "Rows": "rows",
    "Columns": "columns", "BitsAllocated": "bits_allocated", "BitsStored": "bits_stored",
    "PixelRepresentation": "pixel_representation",
}
_SYNTAX = 0x00020010
_OF_FRAMES = (0x52009229, 0x52009230)  # Shared and Per-Frame Functional Groups Sequence
_WANTED = ("MediaStorageSOPInstanceUID", "TransferSyntaxUID", *KEYWORDS, *IMAGE_PIXEL, "Modality", "RescaleSlope",
           "RescaleIntercept", "RescaleType", "PixelPaddingValue", "PixelPaddingRangeLimit", "ExtendedOffsetTable",
           "ExtendedOffsetTableLengths")
_KEYWORD_OF = {tag_for_keyword(keyword): keyword for keyword in _WANTED}
_TAGS = [tag for tag in _KEYWORD_OF if tag is not None] + list(_OF_FRAMES)
_AT_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_LIKE_PIXELS = ("PixelPaddingValue", "PixelPaddingRangeLimit")  # US or SS: implicit VR does not say which
_SHORT, _MANY = 128, 10_000  # bytes of what is remembered, and how many at most


COMPRESSED = frozenset({*JPEG2000TransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEGTransferSyntaxes, RLELossless})
PLAIN = frozenset({ExplicitVRLittleEndian, ImplicitVRLittleEndian})
SYNTAXES = COMPRESSED | PLAIN

Element: TypeAlias = RawDataElement | DataElement


class Scan:
    """Reads the headers of one series' files."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str | None, bytes], Any] = {}

    def read(self, file: BinaryIO) -> dict[str, Any] | None:
        """Values by keyword, and `file` at its pixel data; None where the file has to be read as a whole.

        That is where `elements_of` says so, or where frames have groups of their own.
        """
        elements = elements_of(file, _TAGS)
        if elements is None or any(element.tag in _OF_FRAMES for element in elements):
            return None
        try:
            values = {_KEYWORD_OF[element.tag]: self._value(element) for element in elements
                      if element.tag in _KEYWORD_OF}
            return values | {keyword: _of_a_pixel(values[keyword]) for keyword in _LIKE_PIXELS if keyword in values}
        except DICOM_FAULTS:
            return None

    def _value(self, element: Element) -> Any:
        if not isinstance(element, RawDataElement) or element.value is None or element.VR == "SQ":
            return element.value
        if len(element.value) > _SHORT:
            return convert_raw_data_element(element).value
        key = (element.tag, element.VR, element.value)
        if key not in self._known:
            if len(self._known) >= _MANY:
                self._known.clear()
            self._known[key] = convert_raw_data_element(element).value
        return self._known[key]


def elements_of(file: BinaryIO, tags: Collection[int]) -> list[Element] | None:
    """Those of `tags` that stand before a file's pixel data, as they lie there, and `file` at its pixel data.

    None where it is no Part 10 file in one of SYNTAXES, is damaged, or has no pixel data.
    """
    if file.read(132)[128:] != b"DICM":
        return None
    wanted: list[BaseTag | int] = [_SYNTAX, *tags]
    try:
        meta = list(data_element_generator(file, False, True, stop_when=_beyond_meta, specific_tags=wanted))
        named = [bytes(element.value or b"") for element in meta if element.tag == _SYNTAX]
        syntax = named[0].rstrip(b"\0 ").decode("ascii", "replace") if named else ""
        if syntax not in SYNTAXES:
            return None
        implicit = syntax == ImplicitVRLittleEndian
        found = list(data_element_generator(file, implicit, True, stop_when=_at_pixels, specific_tags=wanted))
    except DICOM_FAULTS:
        return None
    at_pixels = file.read(1) != b""
    file.seek(-1 if at_pixels else 0, os.SEEK_CUR)
    return [*meta, *found] if at_pixels else None


def _of_a_pixel(value: Any) -> Any:
    """A number that was left as its two bytes, unsigned; `values` gives it the pixels' sign."""
    return int.from_bytes(value, "little") if isinstance(value, bytes) and len(value) == 2 else value


def _beyond_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag >> 16 != 2


def _at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag in _AT_PIXELS
