"""The data set inside a file that the receiver stored, as a stream; deflated ones are inflated to a bound."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import BinaryIO

from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from storage.part10 import META_AT


def data_set_in(file: BinaryIO, syntax: UID, most_bytes: int) -> tuple[BinaryIO, int]:
    """The stream that holds the data set of an open Part 10 file, and where it begins there.

    ValueError where it inflates to more than `most_bytes`, zlib.error where it does not inflate.
    """
    head = file.read(META_AT)
    start = META_AT + int.from_bytes(head[-4:], "little")
    if syntax != DeflatedExplicitVRLittleEndian:
        return file, start
    file.seek(start)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    plain = inflate.decompress(file.read(most_bytes), most_bytes)
    if inflate.unconsumed_tail:
        raise ValueError(f"it inflates to more than {most_bytes} bytes")
    return BytesIO(plain), 0
