"""Audit messages as durable files until they are sent, or as long as the site keeps them.

    FOLDER/NANOSECONDS-PID.xml    one message, in the order of their writing
    FOLDER/dropped                how many were dropped unsent, because the spool was full or they were too old

Every process writes files of its own; one sender reads and removes them. Only their owner may read them.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from storage.durable import sync

log = logging.getLogger(__name__)

PART_TERM_S = 3600.0  # a file that is being written for longer has lost its writer
DROPPED = "dropped"


@dataclass(frozen=True)
class Waiting:
    """One message that waits: when it was written (seconds since the epoch), by which process, and its file."""

    path: Path
    at: float
    pid: str

    @classmethod
    def of(cls, path: Path) -> Waiting:
        moment, _, pid = path.stem.partition("-")
        return cls(path, int(moment) / 1e9, pid)


class Spool:
    """The folder of waiting messages, bounded in bytes and age."""

    def __init__(
        self, folder: Path, *, max_bytes: int, keep_s: float, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._clock_ns = clock_ns
        self._last_ns = 0
        self._lock = threading.Lock()

    def write(self, message: bytes) -> Path:
        """Keep a message; when this returns it is durable. OSError where the disk fails or is full."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        final = self.folder / self._next_name()
        beside = final.with_suffix(".part")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(message)
                file.flush()
                os.fsync(descriptor)
            beside.replace(final)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
        sync(self.folder)
        return final

    def waiting(self) -> list[Waiting]:
        """What waits, oldest first."""
        with suppress(FileNotFoundError):
            return [Waiting.of(path) for path in sorted(self.folder.glob("*-*.xml"))]
        return []

    def remove(self, message: Waiting) -> None:
        """Take away what has been sent; one that is gone already is no error."""
        message.path.unlink(missing_ok=True)

    def bound(self, now: float) -> int:
        """Drop the oldest beyond the bounds, loudly; gives the number. Called by one process, the clock's."""
        messages = self.waiting()
        sizes = [_size(message.path) for message in messages]
        excess, old = sum(sizes) - self._max_bytes, now - self._keep_s
        dropped = 0
        for message, size in zip(messages, sizes, strict=True):
            if message.at >= old and excess <= 0:
                break
            self.remove(message)
            excess -= size
            dropped += 1
        if dropped:
            self._count(dropped)
            log.error(
                "%d audit messages dropped, the oldest first: the spool %s is bounded to %d bytes and %.0f days",
                dropped,
                self.folder,
                self._max_bytes,
                self._keep_s / 86400,
            )
        self._sweep(now)
        return dropped

    def state(self) -> dict[str, str | int | float | None]:
        """Where they wait, how many, since when, and how many were dropped."""
        messages = self.waiting()
        return {
            "folder": str(self.folder),
            "waiting": len(messages),
            "oldest_at": messages[0].at if messages else None,
            "dropped": self._dropped(),
        }

    def _next_name(self) -> str:
        """A name that sorts behind every earlier one of this process, also when its clock is set back."""
        with self._lock:
            self._last_ns = max(self._last_ns + 1, self._clock_ns())
            return f"{self._last_ns:020d}-{os.getpid()}.xml"

    def _count(self, dropped: int) -> None:
        beside = self.folder / f"{DROPPED}.part"
        beside.write_text(str(self._dropped() + dropped))
        beside.replace(self.folder / DROPPED)

    def _dropped(self) -> int:
        try:
            return int((self.folder / DROPPED).read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def _sweep(self, now: float) -> None:
        for part in self.folder.glob("*-*.part"):
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < now - PART_TERM_S:
                    part.unlink()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # sent meanwhile
        return 0
