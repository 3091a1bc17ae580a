"""A data set that is coming in: small in memory, large in a nameless file, too large nowhere."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from storage.errors import Unavailable

IN_MEMORY_BYTES = 8 * 1024 * 1024
CHECK_EVERY_BYTES = 64 * 1024 * 1024


class Bounded(BytesIO):
    """A buffer that takes `limit` bytes; ValueError beyond."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._left = limit

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        """Take `data`."""
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("a peer sends more than is sensible at this place")
        return super().write(data)


class Spool(BytesIO):
    """The data set of one C-STORE request while it comes in. It is a BytesIO only because pynetdicom wants one.

    Beyond `IN_MEMORY_BYTES` it moves to a file without a name in `folder`, of which a crash leaves nothing.
    Beyond `limit`, or where the disk does not take it, the bytes are let go, the rest is not kept either, and
    `trouble` says why: the sender gets its answer and may go on with its other objects.
    """

    def __init__(self, limit: int, folder: Path, has_room: Callable[[], bool]) -> None:
        super().__init__()
        self.trouble = ""
        self.size = 0
        self._digest = hashlib.sha256()
        self._limit = limit
        self._folder = folder
        self._has_room = has_room
        self._file: IO[bytes] | None = None
        self._check_at = IN_MEMORY_BYTES

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        """Take the next bytes, or let them go."""
        self.size += len(data)
        if self.size > self._limit:
            self._drop(f"the data set is larger than the {self._limit} bytes that are taken (max_object_bytes)")
        if self.trouble:
            return len(data)
        self._digest.update(data)
        try:
            if self.size > self._check_at:
                self._make_room()
            if self._file is not None:
                _write_all(self._file, data)
            else:
                super().write(data)
        except OSError as error:
            self._drop(f"the data set could not be written: {error.strerror}")
        except Unavailable as trouble:  # a disk that cannot even tell its room
            self._drop(str(trouble))
        return len(data)

    def sha256(self) -> str:
        """The digest of what came, worked out while it came."""
        return self._digest.hexdigest()

    def getbuffer(self) -> memoryview:
        """The whole; a large one is mapped, so that the system may take its memory back."""
        if self._file is None:
            return super().getbuffer()
        return memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ))

    def _make_room(self) -> None:
        self._check_at = self.size + CHECK_EVERY_BYTES
        if not self._has_room():
            return self._drop("free space is below the watermark")
        if self._file is None:
            # Unbuffered: what the disk does not take shows at once, not when the whole is asked for or let go.
            self._file = TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 (it lives as long as the request)
            with super().getbuffer() as held:
                _write_all(self._file, held)
            self._empty()
        return None

    def _drop(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble
        if self._file is not None:
            self._file.close()
            self._file = None
        self._empty()

    def _empty(self) -> None:
        self.seek(0)
        self.truncate()


def _write_all(file: IO[bytes], data: bytes | memoryview) -> None:
    """Let go of what it writes also where that fails: a buffer that is looked at cannot be emptied."""
    at = 0
    while at < len(data):
        with memoryview(data)[at:] as rest:
            at += file.write(rest)
