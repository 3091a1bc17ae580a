"""A segmentation's frames encoded in bulk: what frames have in common, as they have their source image, only once.

pydicom would go through some fifteen elements of each of a thousand frames, and copy the pixels three times.
"""

from __future__ import annotations

import struct
from io import BytesIO

from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr, write_data_element
from pydicom.tag import BaseTag, Tag

_FRAMES, _PIXELS = Tag("PerFrameFunctionalGroupsSequence"), Tag("PixelData")
_ITEM = 0xE000FFFE  # FFFE,E000 as it lies in a file (PS3.5 7.5)


def in_bulk(ds: Dataset) -> Dataset:
    """The same data set with its frames' groups as they will lie in the file; pydicom writes the same bytes of it."""
    implicit = bool(ds.file_meta.TransferSyntaxUID.is_implicit_VR)
    whole = Dataset()
    whole.update({element.tag: element for element in ds if element.tag != _FRAMES})
    correct_ambiguous_vr(whole, is_little_endian=True)
    groups = _Encoder(implicit, ds.get("SpecificCharacterSet", default_encoding)).items(ds[_FRAMES])
    whole[_FRAMES] = RawDataElement(_FRAMES, "SQ", len(groups), groups, 0, implicit, is_little_endian=True)
    whole[_PIXELS] = DataElement(_PIXELS, ds[_PIXELS].VR, BytesIO(ds.PixelData))  # which is copied piece by piece
    whole.set_original_encoding(implicit, True, whole._character_set)
    whole.file_meta = ds.file_meta
    return whole


class _Encoder:
    """Encodes sequences, an item that occurs in several of them once; the data set keeps them all alive meanwhile."""

    def __init__(self, implicit: bool, character_set: str | list[str]) -> None:
        self._implicit, self._character_set = implicit, character_set
        self._known: dict[int, bytes] = {}

    def items(self, sequence: DataElement) -> bytes:
        return b"".join([self._item(item) for item in sequence.value])

    def _item(self, item: Dataset) -> bytes:
        known = self._known.get(id(item))
        if known is None:
            content = b"".join([self._element(item[tag]) for tag in sorted(item.keys())])
            known = self._known[id(item)] = struct.pack("<II", _ITEM, len(content)) + content
        return known

    def _element(self, element: DataElement) -> bytes:
        if element.VR == "SQ":
            content = self.items(element)
            return self._head(element.tag, len(content)) + content
        out = DicomBytesIO()
        out.is_little_endian, out.is_implicit_VR = True, self._implicit
        write_data_element(out, element, self._character_set)
        return out.getvalue()

    def _head(self, tag: BaseTag, length: int) -> bytes:
        if self._implicit:
            return struct.pack("<HHI", tag.group, tag.element, length)
        return struct.pack("<HH2sHI", tag.group, tag.element, b"SQ", 0, length)
