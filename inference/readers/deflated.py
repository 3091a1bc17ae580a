"""How far a deflated file inflates, looked at before pydicom inflates all of it: a megabyte may claim a gigabyte."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from inference.errors import Unfit

MOST_BYTES = 512 * 1024 * 1024  # of one instance
_PIECE = 1024 * 1024
_SYNTAX = 0x00020010


def check_inflated(file: BinaryIO) -> None:
    """Unfit where a Part 10 file, read from where it stands, is deflated and inflates to more than `MOST_BYTES`.

    `file` is left where it stood; zlib.error where it does not inflate, and pydicom's faults where its head is damaged.
    """
    begin = file.tell()
    left = MOST_BYTES
    if _is_deflated(file):
        inflater, rest = zlib.decompressobj(-zlib.MAX_WBITS), b""
        while piece := rest or file.read(_PIECE):
            left -= len(inflater.decompress(piece, _PIECE))
            rest = inflater.unconsumed_tail
            if left < 0:
                raise Unfit(f"An image of the series inflates to more than {MOST_BYTES} bytes.")
    file.seek(begin)


def _is_deflated(file: BinaryIO) -> bool:
    """Whether the file meta information says so (PS3.10 7.1); `file` is then at its data set."""
    if file.read(132)[128:] != b"DICM":
        return False
    meta = data_element_generator(file, False, True, stop_when=_beyond_meta, specific_tags=[_SYNTAX])
    named = [bytes(element.value or b"") for element in meta if element.tag == _SYNTAX]
    return bool(named) and named[0].rstrip(b"\0 ") == DeflatedExplicitVRLittleEndian.encode()


def _beyond_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag >> 16 != 2
