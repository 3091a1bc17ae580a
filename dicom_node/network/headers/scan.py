"""The wanted elements of a plain header, found by stepping over its bytes without objects for the rest.

Only what is ordinary is read: little endian, tags in order, representations of the standard, lengths that fit. None
says that the header is not ordinary, and that a parser must look at it. Nothing of what is stepped over is trusted.
PS3.5 7.1, 7.5.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

SHORT = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)  # explicit, with a length of two bytes
LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # …of four
NAMES = {name: name.decode() for name in SHORT | LONG}
EXPLICIT = struct.Struct("<HH2sH")
IMPLICIT = struct.Struct("<HHI")
LENGTH = struct.Struct("<I")
UNDEFINED = 0xFFFFFFFF
PIXELS = 0x7FE00000  # where a header ends; what reads an image later parses all that stands before
ITEM, ITEM_ENDS, SEQUENCE_ENDS = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
MOST_ELEMENTS = 20_000  # that are stepped over in one header
DEEPEST = 8  # sequences in sequences

Head = tuple[int, bytes, int, int]  # tag, representation (b"" where it is implicit), length, where the value begins


def scan(data: memoryview, wanted: Mapping[int, BaseTag], *, implicit: bool) -> dict[BaseTag, RawDataElement] | None:
    """The elements of `data` whose tags are `wanted`, as pydicom would read them; it is not read beyond `PIXELS`.

    Tags are found under the very objects that `wanted` has for them, so that a look-up need not compare them.
    """
    try:
        return _Header(data, implicit).find(wanted)
    except _NotPlainError:
        return None
    except struct.error:  # it ends in the middle of an element
        return None


class _NotPlainError(ValueError):
    """Something that only a parser should judge."""


class _Header:
    def __init__(self, data: memoryview, implicit: bool) -> None:
        self._data, self._implicit, self._left = data, implicit, MOST_ELEMENTS

    def find(self, wanted: Mapping[int, BaseTag]) -> dict[BaseTag, RawDataElement]:
        data, implicit, end = self._data, self._implicit, len(self._data)
        found: dict[BaseTag, RawDataElement] = {}
        at, before = 0, -1
        while at < end:
            tag, representation, length, start = self._head(at)
            if tag >= PIXELS:
                break
            if tag <= before:
                raise _NotPlainError
            before = tag
            if length == UNDEFINED:
                if tag in wanted:
                    raise _NotPlainError
                at = self._past_sequence(start, representation, 1)
                continue
            at = start + length
            if at > end:
                raise _NotPlainError
            if tag in wanted:
                name = NAMES.get(representation)
                value = bytes(data[start:at])
                known = wanted[tag]
                found[known] = RawDataElement(known, name, length, value, start, implicit, True)
        return found

    def _head(self, at: int) -> Head:
        self._left -= 1
        if self._left < 0:
            raise _NotPlainError
        if self._implicit:
            group, element, length = IMPLICIT.unpack_from(self._data, at)
            return group << 16 | element, b"", length, at + 8
        group, element, representation, length = EXPLICIT.unpack_from(self._data, at)
        if representation in SHORT:
            return group << 16 | element, representation, length, at + 8
        if representation in LONG:
            return group << 16 | element, representation, LENGTH.unpack_from(self._data, at + 8)[0], at + 12
        raise _NotPlainError

    def _past_sequence(self, at: int, representation: bytes, depth: int) -> int:
        """Where a sequence of undefined length, whose items begin at `at`, has ended."""
        if depth > DEEPEST or representation not in (b"", b"SQ"):
            raise _NotPlainError
        while True:
            self._left -= 1
            group, element, length = IMPLICIT.unpack_from(self._data, at)
            tag, at = group << 16 | element, at + 8
            if tag == SEQUENCE_ENDS and length == 0:
                return at
            if tag != ITEM or self._left < 0:
                raise _NotPlainError
            at = self._past_item(at, depth) if length == UNDEFINED else at + length

    def _past_item(self, at: int, depth: int) -> int:
        while True:
            group, element, length = IMPLICIT.unpack_from(self._data, at)
            if group << 16 | element == ITEM_ENDS:
                if length:
                    raise _NotPlainError
                return at + 8
            _, representation, length, at = self._head(at)
            at = self._past_sequence(at, representation, depth + 1) if length == UNDEFINED else at + length
