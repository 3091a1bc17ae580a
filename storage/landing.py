"""A file on its way into the archive: its bytes are synced while its owner reads what they say, its name while the owner
writes the row. Nothing is durable before `durable` has returned, and the order stays: bytes, name, folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from storage.durable import sync
from storage.part10 import DataSetDigest

SYNCERS = 16  # threads that wait for the disk


class Syncers:
    """Threads of one archive that do nothing but sync."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(SYNCERS, thread_name_prefix="sync")

    def file(self, file: BinaryIO) -> Future[None]:
        """Make its bytes durable; it may be closed meanwhile."""
        return self._pool.submit(_sync_and_close, os.dup(file.fileno()))

    def folder(self, folder: Path) -> Future[None]:
        """Make its names durable."""
        return self._pool.submit(sync, folder)


@dataclass(frozen=True)
class Written:
    """A file beside its final place: where, how long, and the digest of its data set."""

    part: Path
    size: int
    sha256: str


class Landing:
    """One file; `end` it whatever happens. OSError of whatever the disk did not do, at the next call."""

    def __init__(self, syncers: Syncers, part: Path, chunks: Iterable[bytes | memoryview], known: str | None) -> None:
        self._syncers = syncers
        self._pending: Future[None] | None = None
        self._moved = False
        with ExitStack() as undo:
            file = undo.enter_context(part.open("xb", buffering=0))
            undo.callback(part.unlink)
            self.written = _write(file, part, chunks, known)
            self._pending = syncers.file(file)
            undo.pop_all()
            file.close()

    def place(self, final: Path, make_folder: Callable[[Path], None]) -> int:
        """Give it its final name, and begin to make that durable; the size of the file that bears it.

        The first to come stays, whatever hash an attacker may collide; it is young again, so that no sweep takes it
        before its row is there.
        """
        self.durable()
        make_folder(final.parent)
        if final.exists():
            os.utime(final)
        else:
            self.written.part.replace(final)
            self._moved = True
        self._pending = self._syncers.folder(final.parent)
        return final.stat().st_size

    def durable(self) -> None:
        """Return when what was begun is done."""
        if self._pending is not None:
            self._pending.result()

    def end(self) -> None:
        """Leave nothing beside the final place."""
        if self._pending is not None:
            self._pending.exception()  # told by `durable`, or of no matter
        if not self._moved:
            self.written.part.unlink(missing_ok=True)


def _write(file: BinaryIO, part: Path, chunks: Iterable[bytes | memoryview], known: str | None) -> Written:
    digest = DataSetDigest()
    size = 0
    for chunk in chunks:
        rest = memoryview(chunk).cast("B")
        size += len(rest)
        if known is None:
            digest.update(rest)
        while rest:
            rest = rest[file.write(rest) :]
    return Written(part, size, known or digest.hexdigest())


def _sync_and_close(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
