"""Copies of stored files on this machine's disk: so many bytes, those that were used longest ago go first.

    ROOT/incoming/             being written
    ROOT/files/ab/NAME.dcm     whole copies, by the path under which they are stored
    ROOT/held/PROCESS/N/       links to copies while somebody reads them; PROCESS/lock is locked while that one lives

Nothing here outlives a power cut for sure, nor needs to: no copy is used before its digest was compared. The processes
of one machine share it.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from storage.archive import INCOMING
from storage.files.disk import disk_faults
from storage.files.durable import link_or_copy
from storage.files.part10 import digest_of
from storage.records import StoredFile

log = logging.getLogger(__name__)

SLACK = 16  # a process looks at the whole after each such part of the bound, and then leaves as much free
UNUSED_S = 7 * 86400.0  # a copy that nobody reads for so long goes
YOUNG_S = 60.0  # a process may need so long from its folder to its lock


class FileCache:
    """Keeps copies below `root`, about `max_bytes` of them; with 0 only those that are held."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.root = root
        self.incoming = root / INCOMING
        self._files, self._held = root / "files", root / "held"
        self._max_bytes = max_bytes
        self._added = 0
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._mine: tuple[Path, IO[bytes]] | None = None
        with disk_faults():
            for folder in (self.incoming, self._files, self._held):
                folder.mkdir(parents=True, exist_ok=True)

    def part(self) -> Path:
        """A name for what is about to be written."""
        return self.incoming / f"{os.urandom(16).hex()}.part"

    @contextmanager
    def hold(self) -> Iterator[Path]:
        """A folder for links to copies, which stay as long as the block lasts."""
        with disk_faults():
            folder = self._own() / str(next(self._numbers))
            folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def find(self, stored: StoredFile, target: Path) -> bool:
        """Have `target` be a copy of the file, whose digest has been compared; False where there is none."""
        place = self._place(stored.path)
        with disk_faults(), suppress(FileNotFoundError):
            link_or_copy(place, target)  # first: from now on it stays, whatever becomes of the copy's name
            with target.open("rb") as file:
                if digest_of(file) == stored.sha256:
                    os.utime(target)
                    return True
            log.warning("a copy in the cache was not what is stored, and is had anew", extra={"file": stored.path})
            target.unlink()
            place.unlink(missing_ok=True)
        return False

    def keep(self, part: Path, path: str) -> None:
        """Take a whole file, which is that of `path` in the archive; where it is too large it is let go."""
        with disk_faults():
            size = part.stat().st_size
            if size > self._max_bytes // SLACK:
                part.unlink()
                return
            place = self._place(path)
            place.parent.mkdir(exist_ok=True)
            part.replace(place)
        with self._lock:
            self._added += size
            full = self._added > self._max_bytes // SLACK
            self._added = 0 if full else self._added
        if full:
            self.trim(self._max_bytes - self._max_bytes // SLACK)

    def forget(self, path: str) -> None:
        """Remove the copy of a file that is stored no more."""
        with disk_faults():
            self._place(path).unlink(missing_ok=True)

    def trim(self, to_bytes: int | None = None) -> None:
        """Remove copies, those used longest ago first, until `to_bytes` are left and none that is unused for long.

        Who removes a study does not reach the copies on other machines: they go by their age.
        """
        unused_since = time.time() - UNUSED_S
        with disk_faults():
            copies = sorted(self._copies())
            total = sum(size for _, size, _ in copies)
            for used, size, path in copies:
                if used > unused_since and (to_bytes is None or total <= to_bytes):
                    return
                path.unlink(missing_ok=True)
                total -= size

    def sweep(self, older_than: float) -> int:
        """Delete parts written last before `older_than`, what dead processes held and what is unused for long.

        Gives the number of parts.
        """
        swept = 0
        self.trim()
        with disk_faults():
            for part in list(self.incoming.iterdir()):
                with suppress(FileNotFoundError):  # its writer has just ended
                    if part.stat().st_mtime < older_than:
                        part.unlink()
                        swept += 1
            for folder in list(self._held.iterdir()):
                if _is_left(folder):
                    shutil.rmtree(folder, ignore_errors=True)
        return swept

    def _place(self, path: str) -> Path:
        return self._files / path[:2] / path.replace("/", "-")

    def _copies(self) -> Iterator[tuple[float, int, Path]]:
        for folder in list(self._files.iterdir()):
            with os.scandir(folder) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        told = entry.stat()
                        yield told.st_mtime, told.st_size, Path(entry.path)

    def _own(self) -> Path:
        """This process's folder, which is its own as long as it lives."""
        with self._lock:
            if self._mine is None:
                folder = self._held / f"{os.getpid()}-{os.urandom(8).hex()}"
                folder.mkdir()
                lock = (folder / "lock").open("wb")
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._mine = folder, lock
            return self._mine[0]


def _is_left(folder: Path) -> bool:
    """Whether the process whose folder it is has ended."""
    try:
        if folder.stat().st_mtime > time.time() - YOUNG_S:
            return False
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True
