"""The archive's disk: how full it is, from when on that matters, and what its faults are called."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from storage.errors import Unavailable

MIB = 1024 * 1024
RELIEF = 10  # a mark counts as left only a tenth of it above, so that a disk near it does not flutter
ASK_EVERY_S = 1.0


class Level(StrEnum):
    """What the free space allows."""

    WELL = "well"  # everything
    SHORT = "short"  # everything, and what is finished goes early
    FULL = "full"  # nothing new is taken; what is here is finished


def free_space(root: Path) -> int:
    """Bytes that this program may still write on the disk of `root`."""
    return shutil.disk_usage(root).free


def why_unwritable(root: Path) -> str:
    """What keeps everything from the disk of `root`, however many bytes are free; "" where nothing does."""
    told = os.statvfs(root)
    if told.f_flag & os.ST_RDONLY:
        return f"the file system of {root} is mounted read-only"
    if told.f_files and not told.f_favail:  # where none are counted they cannot run out
        return f"the file system of {root} can hold no more files: no inode is left (df -i), whatever bytes are free"
    return ""


@dataclass(frozen=True)
class Watermarks:
    """Below `clean_bytes` of free space what is finished goes early; below `low_bytes` nothing new is taken."""

    low_bytes: int = 512 * MIB
    clean_bytes: int = 0

    def level(self, free: int, before: Level = Level.WELL) -> Level:
        """The level at `free` bytes; one that held `before` is left a tenth above its mark."""
        if free < (_relieved(self.low_bytes) if before is Level.FULL else self.low_bytes):
            return Level.FULL
        if free < (self.clean_bytes if before is Level.WELL else self.relieved_bytes):
            return Level.SHORT
        return Level.WELL

    @property
    def relieved_bytes(self) -> int:
        """Free space at which nothing more needs to go early."""
        return _relieved(self.clean_bytes)


def _relieved(mark: int) -> int:
    return mark + mark // RELIEF


class Room:
    """Whether there is room for something new: the disk is asked once a second, and counted down in between."""

    def __init__(self, root: Path, low_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._low_bytes = low_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._free = 0
        self._asked_at = float("-inf")

    def lacking(self) -> bool:
        """Whether free space is below the mark."""
        with self._lock:
            now = self._clock()
            if now - self._asked_at >= ASK_EVERY_S:
                self._free, self._asked_at = free_space(self._root), now
            return self._free < self._low_bytes

    def take(self, size: int) -> None:
        """Note that `size` bytes were written."""
        with self._lock:
            self._free -= size


@contextmanager
def disk_faults() -> Iterator[None]:
    """Translate the operating system's errors; their texts hold paths, ours do not."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"the archive's disk failed: {error.strerror}") from error
