"""Audit messages as durable files until they are sent, or as long as the site keeps them.

    FOLDER/NANOSECONDS-PID.xml    one message, in the order of their writing
    FOLDER/YYYYMMDD/…             those of a day that is over (UTC): a folder with the messages of ten years is slow
    FOLDER/dropped                how many were dropped unsent, because the spool was full or they were too old
    FOLDER/sender                 locked by the one process that reads and removes them

Every process writes files of its own. Only their owner may read them.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from storage.files.durable import sync

log = logging.getLogger(__name__)

MANY = 499  # beyond that nobody counts
PART_TERM_S = 3600.0  # a file that is being written for longer has lost its writer
DROPPED = "dropped"
SENDER = "sender"
NAMES = f"{'[0-9]' * 20}-*.xml"  # of messages; what somebody else put there is left alone


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
        self._sizes: dict[Path, int] = {}  # of folders of days, bytes
        self._lock = threading.Lock()
        self._place: int | None = None

    def claim(self) -> bool:
        """Whether this process is the one that sends and bounds; it stays that until `leave`, or its end. OSError.

        Each process has a folder of its own, or shares it with others: the lock tells, wherever they run.
        """
        if self._place is not None:
            return True
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = os.open(self.folder / SENDER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as other:
            os.close(place)
            if isinstance(other, BlockingIOError):
                return False
            raise
        self._place = place
        return True

    def leave(self) -> None:
        """Let another process send; nothing where it was not this one."""
        if self._place is not None:
            os.close(self._place)
            self._place = None
            self._sizes.clear()  # that one drops as well

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

    def waiting(self, most: int | None = None) -> list[Waiting]:
        """What waits, oldest first; the first `most` of it."""
        return [Waiting.of(path) for path in itertools.islice(self._files(), most)]

    def remove(self, message: Waiting) -> None:
        """Take away what has been sent; one that is gone already is no error."""
        message.path.unlink(missing_ok=True)
        day = message.path.parent
        if day != self.folder:
            self._sizes.pop(day, None)
            with suppress(OSError):  # there is more in it
                day.rmdir()

    def bound(self, now: float) -> int:
        """Drop the oldest beyond the bounds, loudly; gives the number. Called by the process that has the place."""
        self._put_away(now)
        excess, old = sum(map(self._size, (*self._days(), self.folder))) - self._max_bytes, now - self._keep_s
        dropped = 0
        for message in map(Waiting.of, self._files()):
            if message.at >= old and excess <= 0:
                break
            excess -= _size(message.path)
            self.remove(message)
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
        """Where they wait, how many up to `MANY` + 1, since when, and how many were dropped."""
        messages = self.waiting(MANY + 1)
        return {
            "folder": str(self.folder),
            "waiting": len(messages),
            "oldest_at": messages[0].at if messages else None,
            "dropped": self._dropped(),
        }

    def _files(self) -> Iterator[Path]:
        for folder in (*self._days(), self.folder):
            yield from _messages(folder)

    def _days(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("[0-9]*") if path.name.isdigit())

    def _put_away(self, now: float) -> None:
        """Move the messages of earlier days where they are in nobody's way."""
        moved = set()
        for path in _messages(self.folder):
            day = self.folder / _day(Waiting.of(path).at)
            if day.name >= _day(now):
                break
            day.mkdir(mode=0o700, exist_ok=True)
            path.replace(day / path.name)
            moved.add(day)
        for day in moved:
            self._sizes.pop(day, None)
            sync(day)
        if moved:
            sync(self.folder)

    def _size(self, folder: Path) -> int:
        """Bytes of a folder's messages; those of a day that is over change only by our hand."""
        if folder not in self._sizes:
            size = sum(map(_size, _messages(folder)))
            if folder == self.folder:
                return size
            self._sizes[folder] = size
        return self._sizes[folder]

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


def _messages(folder: Path) -> list[Path]:
    return sorted(folder.glob(NAMES))


def _day(at: float) -> str:
    return time.strftime("%Y%m%d", time.gmtime(at))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # sent meanwhile
        return 0
