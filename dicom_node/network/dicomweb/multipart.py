"""Part 10 files as one body of a request, read from the disk as it goes (RFC 2387, PS3.18 8.7.3, 10.5.1)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

PIECE = 1 << 18
CONTENT_TYPE = 'multipart/related; type="application/dicom"'


class Multipart:
    """`multipart/related`, each file a part; its length is known beforehand, and it may be sent more than once."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._boundary = secrets.token_hex(16)  # nobody can have put it into a file
        self._head = f"--{self._boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._end = f"--{self._boundary}--\r\n".encode()

    @property
    def headers(self) -> dict[str, str]:
        """What the request says of it."""
        kind = f"{CONTENT_TYPE}; boundary={self._boundary}"
        return {"Content-Type": kind, "Content-Length": str(len(self))}

    def __len__(self) -> int:
        return sum(len(self._head) + file.stat().st_size + 2 for file in self._files) + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        for path in self._files:
            yield self._head
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    yield piece
            yield b"\r\n"
        yield self._end
