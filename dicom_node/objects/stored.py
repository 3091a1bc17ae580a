"""The data set inside a file that the receiver stored, as a stream or whole; deflated ones are inflated to a bound."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from dicom_node.errors import NodeError
from storage.errors import Unavailable
from storage.files.part10 import META_AT


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


def content_of(path: Path, most_bytes: int, syntaxes: Collection[UID], bad: type[NodeError]) -> tuple[bytes, UID]:
    """The bytes of the data set, inflated where they are deflated, and how they are encoded, by the head we wrote.

    `bad` is raised where they are more, or encoded in another way, or gone; Unavailable where the disk fails.
    """
    try:
        if path.stat().st_size > most_bytes:
            raise bad(f"it is larger than {most_bytes} bytes")
        syntax = UID(read_file_meta_info(path).TransferSyntaxUID)
        if syntax not in syntaxes:
            raise bad("it is compressed in a way that is not read here")
        with path.open("rb") as file:
            stream, start = data_set_in(file, syntax, most_bytes)
            stream.seek(start)
            return stream.read(most_bytes), syntax
    except FileNotFoundError:
        raise bad("it is no longer held") from None
    except OSError as trouble:
        raise Unavailable(f"the archive's disk failed: {trouble.strerror}") from trouble
    except (AttributeError, EOFError, InvalidDicomError, ValueError, zlib.error) as fault:
        raise bad(f"its file cannot be read ({type(fault).__name__})") from None
