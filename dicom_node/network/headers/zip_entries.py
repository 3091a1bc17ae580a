"""The entries of a zip that a stranger made, piece by piece: its names become no paths, its sizes are not believed.

What is taken of it is bounded by what really comes out, and its directory by what is read at once.
"""

from __future__ import annotations

import errno
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

PIECE = 1 << 18
LARGEST_DIRECTORY = 8 << 20  # in bytes; some 80,000 entries
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # LZMA takes as much memory as its header asks for


class _BeforeItsBegin(OSError, zipfile.BadZipFile):
    """A place that no file has: of a damaged zip. zipfile itself looks for one, and expects an OSError."""


# What zipfile raises of a zip that it cannot read, when that is opened and when an entry of it is.
UNREADABLE = (
    zipfile.BadZipFile,  # damaged
    NotImplementedError,  # of a newer version than it knows, or encrypted in a way that it does not
    UnicodeDecodeError,  # a name is said to be UTF-8, and is not
)


class BadEntry(Exception):
    """An entry, or a whole zip, that is not taken; the sentence goes on after its name."""


class _Window(io.RawIOBase):
    """A file over bytes in memory or mapped, that gives no more at once than a sensible directory holds."""

    def __init__(self, content: memoryview) -> None:
        super().__init__()
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._content)}[whence]
        if start + offset < 0:
            raise _BeforeItsBegin(errno.EINVAL, "a place before its begin")
        self._at = start + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, len(self._content) - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > LARGEST_DIRECTORY:
            raise zipfile.BadZipFile("a directory of more entries than are taken")
        taken = bytes(self._content[self._at : self._at + wanted])
        self._at += wanted
        return taken


class Zip:
    """A zip and its entries; BadEntry where it is none. No more than `most_bytes` come out of all entries together."""

    def __init__(self, content: memoryview, most_bytes: int) -> None:
        try:
            self._zip = zipfile.ZipFile(_Window(content))
        except UNREADABLE as fault:
            raise BadEntry(f"it is no zip that can be read ({type(fault).__name__})") from None
        self._most_bytes = most_bytes
        self._left = most_bytes

    def entries(self) -> Iterator[tuple[str, zipfile.ZipInfo]]:
        """Every entry that is no folder, with its name as it stands there."""
        for info in self._zip.infolist():
            if not info.filename.endswith("/"):  # zipfile's own is_dir stumbles over an empty name
                yield info.filename, info

    def pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """The content of an entry, checked at its end; BadEntry where it is not to be had, or is too much."""
        if reason := _not_taken(info):
            raise BadEntry(reason)
        try:
            with self._zip.open(info) as file:
                while piece := file.read(PIECE):
                    self._left -= len(piece)
                    if self._left < 0:
                        raise BadEntry(f"with it the zip unpacks to more than the {self._most_bytes} bytes allowed")
                    yield piece
        except (*UNREADABLE, zlib.error, EOFError) as fault:  # no deflated data, or cut off
            raise BadEntry(f"it cannot be unpacked ({type(fault).__name__})") from None

    @property
    def is_spent(self) -> bool:
        """Whether more came out than may: nothing more does."""
        return self._left < 0


def _not_taken(info: zipfile.ZipInfo) -> str:
    """Why an entry is not even opened; "" where it is."""
    path = PurePosixPath(info.orig_filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts[:1] and path.parts[0].endswith(":")):
        return "its name leads out of the zip"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link"
    if info.flag_bits & 1:
        return "it is encrypted"
    if info.compress_type not in METHODS:
        return "it is compressed otherwise than by deflate"
    return ""
