"""The files. A file that has its final name is whole and survives a power cut.

    ROOT/incoming/                  being written; swept after a crash
    ROOT/ab/cd/STUDY/OBJECT.dcm     hashes of the study's UID, of the object's UID and of its content

Nothing that came over the network is part of a path.
"""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from storage.disk import Room, Watermarks, free_space
from storage.durable import sync
from storage.errors import Damaged, NoRoom, NotFound, Unavailable
from storage.identifiers import check_uid
from storage.part10 import DataSetDigest
from storage.records import StoredFile

INCOMING = "incoming"


class Archive:
    """Part 10 files below one folder of one file system; its threads and processes write at the same time."""

    def __init__(self, root: Path, *, low_water_bytes: int | None = None) -> None:
        self.root = root
        self._room = Room(root, Watermarks().low_bytes if low_water_bytes is None else low_water_bytes)
        self._incoming = root / INCOMING
        self._durable: set[Path] = set()  # folders whose names this process has made safe
        self._folders = threading.Lock()
        with _disk():
            self._incoming.mkdir(parents=True, exist_ok=True)

    def write(
        self,
        study_uid: str,
        sop_uid: str,
        chunks: Iterable[bytes | memoryview],
        content_sha256: str | None = None,
        *,
        ours: bool = False,
    ) -> StoredFile:
        """Store an object's Part 10 bytes; when this returns they are durable under their final name.

        `content_sha256` is that of the data set after the file's head, worked out here where it is not known.
        The same content twice is one file. `ours` is a result, which may use the space that is kept free: else
        a full disk could never finish its work and be emptied. The row that names the file must be committed
        after `confirm`. BadIdentifier; NoRoom below the watermark; Unavailable where the disk fails.
        """
        folder = self.folder(study_uid)
        name = _hash(check_uid(sop_uid))[:32]
        part = self._incoming / f"{name}-{uuid.uuid4().hex}.part"
        with _disk():
            if not ours and self._room.lacking():
                raise NoRoom("free space on the archive's disk is below the watermark (keep_free_bytes)")
            try:
                digest = _write_through(part, chunks, content_sha256)
                final = folder / f"{name}-{digest[:32]}.dcm"
                self._make_durable(folder)
                if final.exists():  # the first to come stays, whatever hash an attacker may collide
                    os.utime(final)  # …and is young again: no sweep may take it before its row is there
                else:
                    part.replace(final)
                sync(folder)
                size = final.stat().st_size
                self._room.take(size)
                return StoredFile(str(final.relative_to(self.root)), size, digest)
            finally:
                part.unlink(missing_ok=True)

    def confirm(self, stored: StoredFile) -> None:
        """Unavailable where the file has gone since it was written; asked in the transaction that names it.

        Whoever removes files does so where no row names them, in a transaction that such rows wait for
        (`Removals.hold_files`). So a row that was committed after this question has its file.
        """
        with _disk():
            if not self.path(stored).exists():
                raise Unavailable(f"{stored.path} was removed while it arrived again; send it once more")

    def path(self, stored: StoredFile) -> Path:
        """Where the file lies."""
        return self.root / stored.path

    def read(self, stored: StoredFile) -> bytes:
        """The whole file; NotFound, or Damaged where its data set is not what was written."""
        with _disk():
            try:
                content = self.path(stored).read_bytes()
            except FileNotFoundError:
                raise NotFound(f"{stored.path} is not in the archive") from None
        digest = DataSetDigest()
        digest.update(content)
        if digest.hexdigest() != stored.sha256:
            raise Damaged(f"{stored.path} is not what was written")
        return content

    @contextmanager
    def opened(self, stored: StoredFile) -> Iterator[BinaryIO]:
        """The file for reading piece by piece, without a look at its digest; NotFound, Unavailable."""
        with _disk():
            try:
                file = self.path(stored).open("rb")
            except FileNotFoundError:
                raise NotFound(f"{stored.path} is not in the archive") from None
            with file:
                yield file

    def remove(self, stored: StoredFile) -> None:
        """Delete a file; one that is gone already is no error."""
        with _disk():
            self.path(stored).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """How much may still be written on this disk."""
        with _disk():
            return free_space(self.root)

    def has_room(self) -> bool:
        """True while new objects are taken."""
        with _disk():
            return not self._room.lacking()

    def sweep_parts(self, older_than: float) -> int:
        """Delete what writers left behind that were last at it before `older_than`; gives the number."""
        swept = 0
        with _disk(), os.scandir(self._incoming) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # its writer has just ended
                    if entry.stat(follow_symlinks=False).st_mtime < older_than:
                        Path(entry.path).unlink()
                        swept += 1
        return swept

    def folder(self, study_uid: str) -> Path:
        """Where the study's files lie, whether it has any or not; BadIdentifier."""
        return self.root / folder_name(study_uid)

    def folders(self, prefix: str) -> list[Path]:
        """The folders of all studies below ROOT/`prefix`, one of the 256 that share the load."""
        with _disk():
            return sorted(path for path in (self.root / prefix).glob("??/*") if path.is_dir())

    def files(self, folder: Path) -> dict[str, os.stat_result]:
        """What lies in a study's folder, by path below the root; nothing where it is gone."""
        found: dict[str, os.stat_result] = {}
        with _disk(), suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found[str(Path(entry.path).relative_to(self.root))] = entry.stat(follow_symlinks=False)
        return found

    def drop_folder(self, study_uid: str) -> None:
        """Remove the study's folder if it is empty."""
        with suppress(OSError):  # something arrived again
            self.folder(study_uid).rmdir()

    def _make_durable(self, folder: Path) -> None:
        """Make the folder and sync every name on the way to it, once a process: another may not have got to that."""
        with self._folders:
            if folder in self._durable and folder.is_dir():
                return
            folder.mkdir(parents=True, exist_ok=True)
            for parent in (folder.parent, folder.parent.parent, self.root):
                sync(parent)
            if len(self._durable) >= 10_000:
                self._durable.clear()
            self._durable.add(folder)


def folder_name(study_uid: str) -> str:
    """The study's folder below the root; BadIdentifier.

    Of its levels the first two have 256 entries at most, the third a 65536th of all studies.
    """
    name = _hash(check_uid(study_uid))
    return f"{name[:2]}/{name[2:4]}/{name[4:36]}"


def _hash(uid: str) -> str:
    return hashlib.sha256(uid.encode("ascii")).hexdigest()


def _write_through(part: Path, chunks: Iterable[bytes | memoryview], known: str | None) -> str:
    """Write and sync the file; gives the digest of its data set."""
    digest = DataSetDigest()
    with part.open("xb", buffering=0) as file:
        for chunk in chunks:
            rest = memoryview(chunk).cast("B")
            if known is None:
                digest.update(rest)
            while rest:
                rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    return known or digest.hexdigest()


@contextmanager
def _disk() -> Iterator[None]:
    """Translate the operating system's errors; their texts hold paths, ours do not."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"the archive's disk failed: {error.strerror}") from error
