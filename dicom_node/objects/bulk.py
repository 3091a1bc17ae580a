"""Large objects encoded in bulk: an item that several sequences have in common once, and pixels without copies.

pydicom would look through the nested sequences again at every depth, go through some fifteen elements of each of a
thousand frames, and copy the pixels three times.
"""

from __future__ import annotations

import struct
from io import BytesIO

from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr, write_data_element, write_sequence_item
from pydicom.tag import BaseTag

_ITEM = 0xE000FFFE  # FFFE,E000 as it lies in a file (PS3.5 7.5)


def in_bulk(ds: Dataset) -> Dataset:
    """The same data set with its sequences as they will lie in the file; pydicom writes the same bytes of it."""
    implicit = bool(ds.file_meta.TransferSyntaxUID.is_implicit_VR)
    encoder = _Encoder(implicit, ds.get("SpecificCharacterSet", default_encoding))
    whole = Dataset()
    whole.update({element.tag: element for element in ds if element.VR != "SQ"})
    correct_ambiguous_vr(whole, is_little_endian=True)
    if "PixelData" in whole:
        pixels = whole["PixelData"]
        even = pixels.value + bytes(len(pixels.value) % 2)  # no copy where it is even; pydicom pads no stream
        whole[pixels.tag] = DataElement(pixels.tag, pixels.VR, BytesIO(even))  # is copied piece by piece
    try:
        for sequence in (element for element in ds if element.VR == "SQ"):
            whole[sequence.tag] = encoder.raw(sequence)
    except _Ambiguous:
        return ds
    whole.set_original_encoding(implicit, True, whole._character_set)
    whole.file_meta, whole.preamble = ds.file_meta, getattr(ds, "preamble", None)
    return whole


class _Ambiguous(Exception):
    """An element whose VR depends on others."""


class _Encoder:
    """Encodes sequences, an item that occurs in several of them once; the data set keeps them all alive meanwhile."""

    def __init__(self, implicit: bool, character_set: str | list[str]) -> None:
        self._implicit, self._character_set = implicit, character_set
        self._known: dict[int, bytes] = {}

    def raw(self, sequence: DataElement) -> DataElement | RawDataElement:
        if sequence.is_undefined_length:
            return sequence
        content = self._items(sequence)
        return RawDataElement(sequence.tag, "SQ", len(content), content, 0, self._implicit, is_little_endian=True)

    def _items(self, sequence: DataElement) -> bytes:
        return b"".join([self._item(item) for item in sequence.value])

    def _item(self, item: Dataset) -> bytes:
        known = self._known.get(id(item))
        if known is None:
            known = self._known[id(item)] = self._encoded(item)
        return known

    def _encoded(self, item: Dataset) -> bytes:
        if getattr(item, "is_undefined_length_sequence_item", False) or "SpecificCharacterSet" in item:
            out = self._out()
            write_sequence_item(out, item, self._character_set)
            return out.getvalue()
        as_read = (item.original_encoding == (self._implicit, True)
                   and item.original_character_set == item._character_set)
        get = item.get_item if as_read else item.__getitem__  # what was read in this encoding stays as it is
        content = b"".join([self._element(get(tag)) for tag in sorted(item.keys())])
        return struct.pack("<II", _ITEM, len(content)) + content

    def _element(self, element: DataElement | RawDataElement) -> bytes:
        if isinstance(element, DataElement) and element.VR == "SQ" and not element.is_undefined_length:
            content = self._items(element)
            return self._head(element.tag, len(content)) + content
        if len(element.VR or "") > 2:  # "US or SS"
            raise _Ambiguous
        out = self._out()
        write_data_element(out, element, self._character_set)
        return out.getvalue()

    def _out(self) -> DicomBytesIO:
        out = DicomBytesIO()
        out.is_little_endian, out.is_implicit_VR = True, self._implicit
        return out

    def _head(self, tag: BaseTag, length: int) -> bytes:
        if self._implicit:
            return struct.pack("<HHI", tag.group, tag.element, length)
        return struct.pack("<HH2sHI", tag.group, tag.element, b"SQ", 0, length)
