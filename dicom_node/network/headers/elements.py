"""Header elements as plain JSON values, from their bytes.

The values come from strangers, so nothing here trusts pydicom's conversion of them: it warns with the
value in its text. What cannot be read raises `ValueError`, whose text holds no value either.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from io import BytesIO
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes, default_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_sequence
from pydicom.sequence import Sequence as ItemSequence
from pydicom.tag import BaseTag

from storage.texts import plain

BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
# Character repertoires bear on these only (PS3.5 6.1.2.3); ^ and = end an escape's reach in a name.
LOCALISED = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
MAX_TEXT = 1024
KNOWN_VALUES = 2048
# Steps of parsing that one header may take: an empty item costs its sender 8 bytes, and us a thousand. The functional
# groups of 20,000 frames take up to 2.3 million.
MAX_STEPS = 2_500_000
CHARACTER_SETS = (b"\x08\x00\x05\x00", b"\x00\x08\x00\x05")  # (0008,0005) in both byte orders

# What pydicom raises on bytes that are no data set, found by feeding it such bytes; OSError without an errno is its
# own, where a sequence ends too soon.
PARSE_FAULTS = (
    ValueError, EOFError, OSError, KeyError, TypeError, AttributeError, NotImplementedError, OverflowError, IndexError,
    RecursionError, InvalidDicomError, BytesLengthException, struct.error, zlib.error,
)  # fmt: skip

_steps_left: ContextVar[int] = ContextVar("steps_left", default=MAX_STEPS)


class CountedBytes(BytesIO):
    """Bytes to parse; ValueError when the header that they belong to has taken too many steps.

    pydicom splits (0008,0005) into its terms while it reads, so that one counts by its length.
    """

    _last = b""

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes."""
        steps = size if self._last[:4] in CHARACTER_SETS and size else 1
        left = _steps_left.get() - steps
        if left < 0:
            raise ValueError("a header of too many elements")
        _steps_left.set(left)
        data = super().read(size)
        if size != 4:  # …else it is the rest of a long element's head
            self._last = data
        return data


@contextmanager
def counted(headers: int = 1) -> Iterator[None]:
    """Within, all parsing belongs to one header, or to so many that are compared."""
    token = _steps_left.set(headers * MAX_STEPS)
    try:
        yield
    finally:
        _steps_left.reset(token)


@cache
def tag_of(keyword: str) -> BaseTag:
    """The tag that `keyword` names; KeyError where the dictionary has none."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return BaseTag(tag)


class Scanned:
    """Elements without items, asked as a Dataset is, but not so slowly: half a hundred times an image."""

    def __init__(self, found: dict[BaseTag, RawDataElement]) -> None:
        self.get_item = found.get
        self.keys = found.keys


def value_of(data: Dataset | Scanned, keyword: str) -> Any:
    """One element's value: str, int or float, a list where there are several, None where it is absent or empty.

    ValueError where the bytes are no value of the element's representation.
    """
    element = data.get_item(tag_of(keyword))
    raw = element.value if element is not None else None
    if not isinstance(element, RawDataElement) or not isinstance(raw, bytes) or not raw:
        return None
    representation = dictionary_VR(element.tag) if element.VR in (None, "UN") else element.VR
    if representation in BINARY:
        values = _binary(raw, BINARY[representation], element.is_little_endian)
    else:
        values = _text(raw, representation, _encodings(data) if representation in LOCALISED else ())
    if not values or values == (None,):
        return None
    return values[0] if len(values) == 1 else list(values)


def items_of(data: Dataset | Scanned, keyword: str) -> Sequence[Dataset]:
    """The items of a sequence; empty where it is absent."""
    return [] if isinstance(data, Scanned) else items_at(data, tag_of(keyword))


def items_at(data: Dataset, tag: BaseTag) -> Sequence[Dataset]:
    """The items of the sequence `tag`; empty where it is absent."""
    element = data.get_item(tag)
    if isinstance(element, RawDataElement) and element.VR in (None, "SQ", "UN") and isinstance(element.value, bytes):
        items = read_sequence(
            CountedBytes(element.value),
            element.is_implicit_VR or element.VR == "UN",  # PS3.5 6.2.2 note 2
            element.is_little_endian,
            len(element.value),
            list(_encodings(data)),
        )
        data[tag] = DataElement(tag, "SQ", items)
    element = data.get(tag)
    value = element.value if element is not None else None
    return value if isinstance(value, ItemSequence) else []


def count_of(text: str) -> int | None:
    """How many a peer says there are; None where it says no number, or one that no archive holds."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None


# The images of a series say much the same, so what was read once is known for a while.


@lru_cache(KNOWN_VALUES)
def _binary(raw: bytes, code: str, little: bool) -> tuple[Any, ...]:
    size = struct.calcsize(code)
    if len(raw) > MAX_TEXT:
        raise ValueError("more values than any header has")
    if len(raw) % size:
        raise ValueError("a binary value of uneven length")
    values = struct.unpack(f"{'<' if little else '>'}{len(raw) // size}{code}", raw)
    return tuple(_finite(value) for value in values)


@lru_cache(KNOWN_VALUES)
def _text(raw: bytes, representation: str, encodings: tuple[str, ...]) -> tuple[Any, ...]:
    if len(raw) > MAX_TEXT:
        raise ValueError("a text longer than its representation allows")
    convert = CONVERSIONS.get(representation, str)
    if representation in LOCALISED:
        try:
            text = decode_bytes(raw, encodings, {"\\", "^", "="})
        except LookupError:  # a codec of Python's that makes no text, such as "hex"
            raise ValueError("no character set") from None
    else:
        text = raw.decode("ascii", errors="replace")
    parts = [part.strip() for part in plain(text).split("\\")]
    try:
        return tuple(convert(part) if part else None for part in parts)
    except (ValueError, OverflowError):
        raise ValueError(f"not a {representation}") from None


def _encodings(data: Dataset | Scanned) -> tuple[str, ...]:
    element = data.get_item(tag_of("SpecificCharacterSet"))
    raw = element.value if element is not None else None
    if isinstance(raw, bytes):
        return _encodings_of(raw) if len(raw) <= MAX_TEXT else (default_encoding,)
    # Converted before, or an item's, which has that of what it lies in (PS3.3 C.12.1.1.2).
    known = getattr(data, "_character_set", default_encoding)
    return (known,) if isinstance(known, str) else tuple(known)


@lru_cache(KNOWN_VALUES)
def _encodings_of(raw: bytes) -> tuple[str, ...]:
    return tuple(convert_encodings([part.strip(" \0") for part in raw.decode("ascii", errors="replace").split("\\")]))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _decimal(text: str) -> float:
    return _finite(float(text))


def _integer(text: str) -> int:
    return int(float(text))  # "1.0" is common, and means 1


CONVERSIONS: dict[str, Callable[[str], Any]] = {"DS": _decimal, "IS": _integer}
