"""The archive in an object storage, with a spool and a cache on this machine's disk.

An object is stored when the server has answered that it has it, and only then its row is committed. The spool is not
synced: it is no promise, and what a power cut takes of it was never acknowledged. What was stored may stay in the
cache, so that a model on this machine need not have it again.

There is no rename and no lock in such a storage, and none is needed: a PUT is whole or does not happen, keys are made
of the content, and whoever removes an object does so where no row can come to name it (see `Archive.confirm`).
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, TypeVar

from storage.archive import NOTE, Archive, Lot, Placed, file_name, folder_name, object_name
from storage.errors import Damaged, NoRoom, NotFound, StorageError, Unavailable
from storage.files.disk import Room, Watermarks, disk_faults, free_space, why_unwritable
from storage.files.durable import link_or_copy, sync
from storage.files.file_cache import FileCache
from storage.files.object_store import Listed, ObjectStore, Seen
from storage.files.part10 import DataSetDigest, digest_of
from storage.records import StoredFile

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 16  # requests of one process for many files
ATTEMPTS = 3  # to have an object whole
PAUSE_S = 0.2  # before the second; doubled
OURS = re.compile("[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{32}/[0-9a-f]{32}-([0-9a-f]{32})\\.dcm")


@dataclass(frozen=True)
class Spooled:
    """A file before it is stored: its size, the digest of its data set, the MD5 of the whole."""

    size: int
    sha256: str
    md5: bytes


class ObjectArchive(Archive):
    """Part 10 files in a bucket; machines, processes and threads write at the same time, also the same file."""

    fills_disk = False

    def __init__(self, store: ObjectStore, cache: FileCache, *, low_water_bytes: int | None = None) -> None:
        self._store = store
        self._cache = cache
        self._room = Room(cache.root, Watermarks().low_bytes if low_water_bytes is None else low_water_bytes)
        self._fetchers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch")
        self._askers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ask")

    @property
    def incoming(self) -> Path:
        return self._cache.incoming

    def __str__(self) -> str:
        return str(self._store)

    def place(
        self,
        study_uid: str,
        sop_uid: str,
        chunks: Iterable[bytes | memoryview],
        content_sha256: str | None = None,
        *,
        ours: bool = False,
    ) -> Placed:
        """`write`: nothing is left to be done afterwards."""
        folder, name = folder_name(study_uid), object_name(sop_uid)
        with disk_faults():
            if not ours and self._lacks_room():
                raise NoRoom("free space on the disk of spool and cache is below the watermark (keep_free_bytes)")
            part = self._cache.part()
            try:
                spooled = _spool(part, chunks, content_sha256)
                path = f"{folder}/{file_name(name, spooled.sha256)}"
                seen = self._put(path, part, spooled)
                if seen.md5 == spooled.md5.hex():
                    self._cache.keep(part, path)
                self._room.take(spooled.size)
                return Placed(StoredFile(path, seen.size, spooled.sha256))
            finally:
                part.unlink(missing_ok=True)

    def check_there(self) -> None:
        self._store.check_there()

    def confirm(self, stored: StoredFile) -> None:
        seen = self._store.look(stored.path, briefly=True)
        if seen is None or seen.size != stored.size:
            raise Unavailable(f"{stored.path} was removed while it arrived again; send it once more")

    @contextmanager
    def local(self, files: Sequence[StoredFile], *, checked: bool = False) -> Iterator[list[Path]]:
        self.has_room()  # or else the cache makes some
        with self._cache.hold() as folder:
            paths = [folder / f"{number}.dcm" for number in range(len(files))]
            bring = partial(self._bring, checked=checked)
            _all(self._fetchers, bring, list(zip(files, paths, strict=True)))
            yield paths

    def read(self, stored: StoredFile) -> bytes:
        content = BytesIO()
        self._receive(stored.path, stored.sha256, content)
        return content.getvalue()

    def sizes(self, files: Sequence[StoredFile]) -> list[int | None]:
        seen = _all(self._askers, lambda stored: self._store.look(stored.path, briefly=True), files)
        if None in seen:
            self.check_there()
        return [one.size if one else None for one in seen]

    def remove(self, *files: StoredFile) -> None:
        _all(self._askers, lambda stored: self._store.delete(stored.path), files)
        for stored in files:
            self._cache.forget(stored.path)

    def free_bytes(self) -> int:
        with disk_faults():
            return free_space(self._cache.root)

    def trouble(self) -> str:
        """Of the disk of spool and cache; who looks is not kept waiting for the server."""
        try:
            with disk_faults():
                return why_unwritable(self._cache.root)
        except Unavailable as trouble:
            return str(trouble)

    def has_room(self) -> bool:
        with disk_faults():
            return not self._lacks_room()

    def finish_parts(self, older_than: float, named: Callable[[str], bool]) -> int:  # noqa: ARG002
        return 0  # no row is committed before its object is stored

    def sweep_parts(self, older_than: float) -> int:
        return self._cache.sweep(older_than)

    def lots(self, prefix: str) -> Iterator[Lot]:
        found = (one for one in self._store.listed(f"{prefix}/") if OURS.fullmatch(one.key))
        for folder, objects in groupby(found, _folder_of):
            yield Lot(folder, {one.key: one.written for one in objects})

    def drop_unfinished(self, prefix: str, older_than: float) -> int:
        return self._store.drop_uploads(f"{prefix}/", older_than)

    def drop_folder(self, study_uid: str) -> None:
        """There are none."""

    def note(self, text: str) -> None:
        content = text.encode()
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        self._store.put(NOTE, BytesIO(content), len(content), md5, anyway=True)

    def noted(self) -> str:
        with suppress(NotFound):
            return b"".join(self._store.get(NOTE)).decode()
        return ""

    def save(self, paths: Sequence[str], folder: Path) -> int:
        return sum(_all(self._fetchers, partial(self._save, folder), paths))

    def put_back(self, paths: Sequence[str], folder: Path) -> None:
        _all(self._askers, partial(self._put_back, folder), paths)

    def _lacks_room(self) -> bool:
        """Where space is short, the cache gives up its own first, for who comes next."""
        lacking = self._room.lacking()
        if lacking:
            self._cache.trim(0)
        return lacking

    def _put(self, path: str, part: Path, spooled: Spooled) -> Seen:
        """Store it; gives what is stored, which is what was there before where that is whole: the first stays."""
        ours = Seen(spooled.size, spooled.md5.hex())
        with part.open("rb") as file:
            if self._store.put(path, file, spooled.size, spooled.md5):
                return ours
            seen = self._store.look(path)
            if seen is None:
                raise Unavailable(f"{path} was removed while it arrived again; send it once more")
            if seen.md5 == ours.md5 or self._is_whole(path, spooled.sha256):
                return seen
            log.error("a stored object was damaged, and is replaced by what has arrived", extra={"file": path})
            self._store.put(path, file, spooled.size, spooled.md5, anyway=True)
        return ours

    def _is_whole(self, path: str, sha256: str) -> bool:
        digest = DataSetDigest()
        for piece in self._store.get(path):
            digest.update(piece)
        return digest.hexdigest() == sha256

    def _bring(self, wanted: tuple[StoredFile, Path], *, checked: bool) -> None:
        """Have a file at a place of this machine; where that cannot be, nothing is there, unless `checked`."""
        stored, target = wanted
        if self._cache.find(stored, target):
            return
        part = self._cache.part()
        try:
            with disk_faults():
                self._fetch(stored.path, stored.sha256, part)
                link_or_copy(part, target)
                self._cache.keep(part, stored.path)
        except NotFound:
            if checked:
                raise
        except Damaged as damaged:
            if checked:
                raise
            log.error("%s; `segnode verify` names what it is of", damaged)  # noqa: TRY400 (no trace is needed)
        finally:
            with disk_faults():
                part.unlink(missing_ok=True)

    def _fetch(self, path: str, sha256: str, target: Path) -> None:
        """An object as a file, once its digest has been compared; NotFound, Damaged, Unavailable."""
        with target.open("xb") as file:
            self._receive(path, sha256, file)

    def _receive(self, path: str, sha256: str, sink: BinaryIO) -> None:
        """Write an object's bytes, whose digest begins with `sha256`; asked for anew where they break off or differ."""
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            digest, begun = DataSetDigest(), False
            sink.seek(0)
            sink.truncate()
            try:
                for piece in self._store.get(path):
                    digest.update(piece)
                    sink.write(piece)
                    begun = True
            except Unavailable:
                if last or not begun:  # it has been asked often enough
                    raise
            else:
                if digest.hexdigest().startswith(sha256):
                    return
                if last:
                    raise Damaged(f"{path} is not what was written")
            time.sleep(PAUSE_S * 2**attempt)

    def _save(self, folder: Path, path: str) -> bool:
        target = folder / path
        with disk_faults():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._fetch(path, _told(path), target)
            except NotFound:
                target.unlink()
                return False
            sync(target)
        return True

    def _put_back(self, folder: Path, path: str) -> None:
        """Damaged where it is not what was saved, or is no file of an archive."""
        source = folder / path
        with disk_faults(), source.open("rb") as file:
            sha256 = digest_of(file)
            if not sha256.startswith(_told(path)):
                raise Damaged(f"{path} in the backup is not what was written")
            file.seek(0)
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
            self._put(path, source, Spooled(source.stat().st_size, sha256, md5))


def _folder_of(one: Listed) -> str:
    return one.key.rpartition("/")[0]


def _told(path: str) -> str:
    """What a path tells of its content's digest; Damaged where it is none of ours."""
    told = OURS.fullmatch(path)
    if told is None:
        raise Damaged(f"{path[:200]!r} is no path of a stored file")
    return told.group(1)


def _spool(part: Path, chunks: Iterable[bytes | memoryview], known: str | None) -> Spooled:
    """Write a file of this machine; what is told of it is of the bytes that came, so that the server's are compared."""
    digest, md5, size = DataSetDigest(), hashlib.md5(usedforsecurity=False), 0
    with part.open("xb") as file:
        for chunk in chunks:
            piece = memoryview(chunk).cast("B")
            if known is None:
                digest.update(piece)
            md5.update(piece)
            file.write(piece)
            size += len(piece)
    return Spooled(size, known or digest.hexdigest(), md5.digest())


def _all(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Do `work` for all, several at a time; where one fails, what has not begun is not done."""
    if len(items) == 1:
        return [work(items[0])]
    futures = [pool.submit(work, item) for item in items]
    try:
        return [future.result() for future in futures]
    except StorageError:
        for future in futures:
            future.cancel()
        raise
