"""Just enough of the DICOM file format (PS3.10 7.1) to tell a data set from its head."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

PREFIX_AT, PREFIX = 128, b"DICM"
# After the prefix stands File Meta Information Group Length: (0002,0000) UL, four bytes, explicit little endian.
GROUP_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
META_AT = PREFIX_AT + len(PREFIX) + len(GROUP_LENGTH) + 4


class DataSetDigest:
    """SHA-256 of the data set in a Part 10 stream; of the whole stream where it has no such head.

    The head names whoever wrote the file, so the same object has another head on each way it comes.
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._head = bytearray()
        self._skip: int | None = None  # bytes of the head still to come, once its length is known

    def update(self, chunk: bytes | memoryview) -> None:
        """Take the stream's next bytes."""
        if self._skip is None:
            self._head += chunk
            if len(self._head) < META_AT:
                return
            self._skip = self._head_length()
            chunk = bytes(self._head)
        taken = min(self._skip, len(chunk))
        self._skip -= taken
        self._sha.update(chunk[taken:])

    def hexdigest(self) -> str:
        """The digest of what came so far."""
        if self._skip is None:
            return hashlib.sha256(self._head).hexdigest()
        return self._sha.hexdigest()

    def _head_length(self) -> int:
        head = bytes(self._head[:META_AT])
        if head[PREFIX_AT:-4] != PREFIX + GROUP_LENGTH:
            return 0
        return META_AT + int.from_bytes(head[-4:], "little")


def digest_of(file: BinaryIO) -> str:
    """The digest of the data set in an open file, read piece by piece from where it stands."""
    digest = DataSetDigest()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()
