"""The archive in a folder. A file that has its final name is whole and survives a power cut.

    ROOT/incoming/                  being written; named or swept after a crash
    ROOT/ab/cd/STUDY/OBJECT.dcm     see archive.py
    ROOT/note.json                  what `note` was told last; there from the beginning

Where the note is missing, all files are: a file system went away, or is not mounted. That passes (`check_there`), and
is not to be taken for the loss of the file that was asked for.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from storage.archive import INCOMING, NOTE, Archive, Lot, Placed, file_name, folder_name, object_name
from storage.errors import Damaged, NoRoom, NotFound, Unavailable
from storage.files.disk import Room, Watermarks, disk_faults, free_space, why_unwritable
from storage.files.durable import link_or_copy, put_in_place, sync
from storage.files.part10 import DataSetDigest, digest_of
from storage.records import StoredFile

log = logging.getLogger(__name__)

HEX = "([0-9a-f]{%d})"
PLACED_PART = re.compile(f"{HEX % 2}{HEX % 2}{HEX % 32}-{HEX % 32}-{HEX % 32}-[0-9a-f]{{32}}\\.part")
SYNCERS = 16  # threads that wait for the disk
WORTH_A_THREAD_S = 0.001  # a sync that takes less is over before another thread has begun with it


class FolderArchive(Archive):
    """Part 10 files below one folder of one file system; its threads and processes write at the same time."""

    fills_disk = True

    def __init__(self, root: Path, *, low_water_bytes: int | None = None, known: bool = False) -> None:
        """`known`: there is such an archive already, which is not begun anew where it is away."""
        self.root = root
        self._room = Room(root, Watermarks().low_bytes if low_water_bytes is None else low_water_bytes)
        self._incoming = root / INCOMING
        self._durable: set[Path] = set()  # folders whose names this process has made safe
        self._known: dict[str, Path] = {}
        self._unnamed: set[str] = set()  # parts that no row waits for
        self._writers = 0
        self._counting = threading.Lock()
        self._folders = threading.Lock()
        self._syncers = ThreadPoolExecutor(SYNCERS, thread_name_prefix="sync")
        self._sync_s = 0.0  # that syncs of folders have taken lately
        with disk_faults():
            begun = (root / NOTE).exists()
            if begun or not known:
                self.incoming.mkdir(parents=True, exist_ok=True)
            if not begun and not known:
                (root / NOTE).touch()
                sync(root)

    @property
    def incoming(self) -> Path:
        return self._incoming

    def __str__(self) -> str:
        return str(self.root)

    def place(
        self,
        study_uid: str,
        sop_uid: str,
        chunks: Iterable[bytes | memoryview],
        content_sha256: str | None = None,
        *,
        ours: bool = False,
    ) -> Placed:
        """`write`, but for the sync of its name; until that the file may lie, whole, under the name it had before."""
        folder = self._known_folder(study_uid)
        name = object_name(sop_uid)
        part = self.incoming / _part_name(folder, name, content_sha256)
        with disk_faults(), self._placing() as alone:
            self.check_there()  # below the place of a file system that is away it would be hidden later
            if not ours and self._room.lacking():
                raise NoRoom("free space on the archive's disk is below the watermark (keep_free_bytes)")
            moved = False
            try:
                digest, size = _write_through(part, chunks, content_sha256)
                final = folder / file_name(name, digest)
                self._make_durable(folder)
                if _stays(final):  # the first to come, whatever hash an attacker may collide
                    os.utime(final)  # …and is young again: no sweep may take it before its row is there
                    size = final.stat().st_size
                else:
                    part.replace(final)
                    moved = True
                settled = None
                if alone and self._sync_s > WORTH_A_THREAD_S:
                    settled = self._syncers.submit(self._sync, folder)
                else:  # where others work meanwhile a thread more would only cost time, too
                    self._sync(folder)
                self._room.take(size)
                return Placed(StoredFile("/".join(final.parts[-4:]), size, digest), settled)
            finally:
                if not moved:
                    part.unlink(missing_ok=True)

    def check_there(self) -> None:
        with disk_faults():
            if not (self.root / NOTE).exists():
                raise Unavailable(
                    f"{self.root} is not the archive of this database: {NOTE}, which lies beside the files, is "
                    f"missing; is its file system mounted? (where the files are lost, write {{}} into "
                    f"{self.root / NOTE} to begin anew)"
                )

    def confirm(self, stored: StoredFile) -> None:
        with disk_faults():
            if not self.path(stored).exists():
                raise Unavailable(f"{stored.path} was removed while it arrived again; send it once more")

    def path(self, stored: StoredFile) -> Path:
        """Where the file lies."""
        return self.root / stored.path

    @contextmanager
    def local(self, files: Sequence[StoredFile], *, checked: bool = False) -> Iterator[list[Path]]:
        if checked:
            for stored in files:
                with self._reading(stored), self.path(stored).open("rb") as file:
                    _check(stored, file)
        with ExitStack() as unless_read:
            unless_read.callback(self.check_there)
            yield [self.root / stored.path for stored in files]
            unless_read.pop_all()

    def read(self, stored: StoredFile) -> bytes:
        with self._reading(stored):
            content = self.path(stored).read_bytes()
        _check(stored, BytesIO(content))
        return content

    def sizes(self, files: Sequence[StoredFile]) -> list[int | None]:
        with disk_faults():
            sizes = [_size_of(self.root / stored.path) for stored in files]
        if None in sizes:
            self.check_there()
        return sizes

    def remove(self, *files: StoredFile) -> None:
        self.check_there()
        with disk_faults():
            for stored in files:
                self.path(stored).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        with disk_faults():
            return free_space(self.root)

    def trouble(self) -> str:
        try:
            self.check_there()
            with disk_faults():
                return why_unwritable(self.root)
        except Unavailable as trouble:
            return str(trouble)

    def has_room(self) -> bool:
        with disk_faults():
            return not self._room.lacking()

    def finish_parts(self, older_than: float, named: Callable[[str], bool]) -> int:
        finished = 0
        with disk_faults(), os.scandir(self.incoming) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # its writer has just ended, or another has given it its name
                    finished += self._finish(entry, older_than, named)
        return finished

    def _finish(self, entry: os.DirEntry[str], older_than: float, named: Callable[[str], bool]) -> bool:
        """Give one part its name, where it is an old one that a row waits for."""
        place = _place_of(entry.name)
        if place is None or entry.name in self._unnamed or entry.stat().st_mtime >= older_than:
            return False
        final = self.root / place
        if final.exists() or not named(place) or not _is_whole(Path(entry.path), place):
            self._unnamed.add(entry.name)  # and is not asked about again
            return False
        self._make_durable(final.parent)
        Path(entry.path).replace(final)
        sync(final.parent)
        return True

    def sweep_parts(self, older_than: float) -> int:
        swept = 0
        with disk_faults(), os.scandir(self.incoming) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # its writer has just ended
                    if entry.stat(follow_symlinks=False).st_mtime < older_than:
                        Path(entry.path).unlink()
                        swept += 1
        return swept

    def folder(self, study_uid: str) -> Path:
        """Where the study's files lie, whether it has any or not; BadIdentifier."""
        return self.root / folder_name(study_uid)

    def lots(self, prefix: str) -> Iterator[Lot]:
        with disk_faults():
            folders = sorted(path for path in (self.root / prefix).glob("??/*") if path.is_dir())
        for folder in folders:
            yield Lot(str(folder.relative_to(self.root)), self._written(folder))

    def _written(self, folder: Path) -> dict[str, float]:
        found: dict[str, float] = {}
        with disk_faults(), suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found[str(Path(entry.path).relative_to(self.root))] = entry.stat(follow_symlinks=False).st_mtime
        return found

    def drop_unfinished(self, prefix: str, older_than: float) -> int:  # noqa: ARG002 (parts lie in one folder)
        return 0

    def drop_folder(self, study_uid: str) -> None:
        with suppress(OSError):  # something arrived again
            self.folder(study_uid).rmdir()

    def note(self, text: str) -> None:
        self.check_there()
        with disk_faults():
            put_in_place(self.root / NOTE, text)

    def noted(self) -> str:
        self.check_there()
        with disk_faults():
            return (self.root / NOTE).read_text(encoding="utf-8")

    def save(self, paths: Sequence[str], folder: Path) -> int:
        saved = sum(_carry(self.root, path, folder) for path in paths)
        if saved < len(paths):
            self.check_there()
        return saved

    def put_back(self, paths: Sequence[str], folder: Path) -> None:
        for path in paths:
            _carry(folder, path, self.root)

    def _known_folder(self, study_uid: str) -> Path:
        """`folder`, remembered for the next images of the study."""
        known = self._known.get(study_uid)
        if known is None:
            if len(self._known) >= 1000:
                self._known.clear()
            known = self._known[study_uid] = self.folder(study_uid)
        return known

    def _sync(self, folder: Path) -> None:
        start = time.monotonic()
        sync(folder)
        self._sync_s += (time.monotonic() - start - self._sync_s) / 8

    @contextmanager
    def _reading(self, stored: StoredFile) -> Iterator[None]:
        """Translate what the system says where a file cannot be read."""
        with disk_faults():
            try:
                yield
            except FileNotFoundError:
                self.check_there()
                raise NotFound(f"{stored.path} is not in the archive") from None

    @contextmanager
    def _placing(self) -> Iterator[bool]:
        """Whether no other thread places a file just now."""
        with self._counting:
            self._writers += 1
            alone = self._writers == 1
        try:
            yield alone
        finally:
            with self._counting:
                self._writers -= 1

    def _make_durable(self, folder: Path) -> None:
        """Make the folder and sync every name on the way to it, once a process: another may not have got to that."""
        if self._is_durable(folder):
            return
        with self._folders:
            if self._is_durable(folder):  # another thread has seen to it meanwhile
                return
            folder.mkdir(parents=True, exist_ok=True)
            for parent in (folder.parent, folder.parent.parent, self.root):
                sync(parent)
            if len(self._durable) >= 10_000:
                self._durable.clear()
            self._durable.add(folder)

    def _is_durable(self, folder: Path) -> bool:
        return folder in self._durable and folder.is_dir()


def _part_name(folder: Path, name: str, digest: str | None) -> str:
    """Of a file that is being written; where its digest is known it tells the final place, too."""
    place = ["".join(folder.parts[-3:]), name, digest[:32]] if digest else [name]
    return "-".join((*place, os.urandom(16).hex())) + ".part"


def _place_of(part: str) -> str | None:
    """The final place, below the root, that a part's name tells; None where it tells none."""
    told = PLACED_PART.fullmatch(part)
    return "{}/{}/{}/{}-{}.dcm".format(*told.groups()) if told else None


def _is_whole(part: Path, place: str) -> bool:
    """Whether the data set is the one whose digest the place tells."""
    with part.open("rb") as file:
        return place.endswith(file_name("", digest_of(file)))


def _stays(final: Path) -> bool:
    """Whether a whole file lies there already; a damaged one is replaced by what has arrived."""
    if not final.exists():
        return False
    with suppress(OSError):
        if _is_whole(final, final.name):
            return True
    log.error("a stored file was damaged, and is replaced by what has arrived", extra={"file": final.name})
    return False


def _carry(source: Path, path: str, target: Path) -> bool:
    """Link or copy a file from below one folder to below another; False where it has gone."""
    with disk_faults():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            link_or_copy(source / path, target / path)
            return True
    return False


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _check(stored: StoredFile, file: BinaryIO) -> None:
    """Damaged where the data set is not what was written."""
    if digest_of(file) != stored.sha256:
        raise Damaged(f"{stored.path} is not what was written")


def _write_through(part: Path, chunks: Iterable[bytes | memoryview], known: str | None) -> tuple[str, int]:
    """Write and sync the file; gives the digest of its data set, and its size in bytes."""
    digest, size = DataSetDigest(), 0
    with part.open("xb", buffering=0) as file:
        for chunk in chunks:
            rest = memoryview(chunk).cast("B")
            size += len(rest)
            if known is None:
                digest.update(rest)
            while rest:
                rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    return known or digest.hexdigest(), size
