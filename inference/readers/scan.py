"""The few attributes of a file that become a volume, by pydicom's element generator and without the rest of a data set.

What several files of a series say alike is converted once: of 400 slices most say most things alike.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from inference.readers.faults import DICOM_FAULTS
from inference.readers.headers import KEYWORDS

IMAGE_PIXEL = {  # PS3.3 C.7.6.3, and what pydicom's decoders call it
    "SamplesPerPixel": "samples_per_pixel", "PhotometricInterpretation": "photometric_interpretation",
    "PlanarConfiguration": "planar_configuration", "NumberOfFrames": "number_of_frames", "Rows": "rows",
    "Columns": "columns", "BitsAllocated": "bits_allocated", "BitsStored": "bits_stored",
    "PixelRepresentation": "pixel_representation",
}
_OF_FRAMES = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_WANTED = ("MediaStorageSOPInstanceUID", "TransferSyntaxUID", *KEYWORDS, *IMAGE_PIXEL, "Modality", "RescaleSlope",
           "RescaleIntercept", "RescaleType", "PixelPaddingValue", "PixelPaddingRangeLimit", "ExtendedOffsetTable",
           "ExtendedOffsetTableLengths", *_OF_FRAMES)
_KEYWORD_OF = {tag_for_keyword(keyword): keyword for keyword in _WANTED}
_TAGS: list[BaseTag | int] = [tag for tag in _KEYWORD_OF if tag is not None]
_AT_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_SHORT, _MANY = 128, 10_000  # bytes of what is remembered, and how many at most


class Scan:
    """Reads the headers of one series' files."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str | None, bytes], Any] = {}

    def read(self, file: BinaryIO, syntaxes: frozenset[UID]) -> dict[str, Any] | None:
        """Values by keyword, and `file` at its pixel data; None where the file has to be read as a whole.

        That is where it holds no such pixel data, several frames with groups of their own, is encoded otherwise than
        `syntaxes` say, or is damaged.
        """
        if file.read(132)[128:] != b"DICM":
            return None
        try:
            values = self._until(file, implicit=False, meta=True)
            syntax = values.get("TransferSyntaxUID")
            if syntax not in syntaxes:
                return None
            values |= self._until(file, implicit=syntax == ImplicitVRLittleEndian, meta=False)
        except DICOM_FAULTS:
            return None
        whole = len(file.peek(1)) > 0 and not any(keyword in values for keyword in _OF_FRAMES)  # type: ignore[attr-defined]
        return values if whole else None

    def _until(self, file: BinaryIO, *, implicit: bool, meta: bool) -> dict[str, Any]:
        """The elements of the file meta information, or those before the pixel data."""
        stop = _beyond_meta if meta else _at_pixels
        elements = data_element_generator(file, implicit, True, stop_when=stop, specific_tags=_TAGS)
        return {_KEYWORD_OF[element.tag]: self._value(element) for element in elements if element.tag in _KEYWORD_OF}

    def _value(self, element: RawDataElement | DataElement) -> Any:
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


def _beyond_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag >> 16 != 2


def _at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag in _AT_PIXELS


PLAIN = frozenset({ExplicitVRLittleEndian, ImplicitVRLittleEndian})
