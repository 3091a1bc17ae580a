"""A study as one ZIP file, written while it is sent. No name in it says whose it is; the files themselves do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from storage.archive import Archive
from storage.database import Transaction
from storage.errors import NotFound
from storage.files.disk import disk_faults
from storage.records import InstanceKind, StoredFile

PIECE = 1 << 20
AT_A_TIME = 32  # files
FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # a ZIP knows none before


@dataclass(frozen=True)
class Entry:
    """A file of the study, and where it lies in the ZIP."""

    name: str
    file: StoredFile
    at: float


def entries_of(tx: Transaction, study_uid: str) -> list[Entry]:
    """Images by series, other objects that arrived, and results by job; NotFound, also where nothing is held any more.

    Of several contents under one UID the one that counts. Names are made of UIDs.
    """
    tx.studies.get(study_uid)
    found = [
        Entry(f"{_folder(one.kind)}/{one.series_instance_uid}/{one.sop_instance_uid}.dcm", one.file, one.received_at)
        for one in tx.studies.instances(study_uid=study_uid)
        if one.kind is not InstanceKind.RESULT  # come back: it stands among the results
    ]
    ended = {job.job_id: job.finished_at or job.created_at for job in tx.jobs.of_study(study_uid)}
    for made in tx.results.of_study(study_uid):
        if made.removed_at is None:
            name = f"results/{made.job_id[:16]}/{made.kind}-{made.sop_instance_uid}.dcm"
            found.append(Entry(name, made.file, ended[made.job_id]))
    if not found:
        raise NotFound(f"nothing of study {study_uid} is held any more")
    return found


def check_there(archive: Archive, entries: Sequence[Entry]) -> None:
    """NotFound where a file is gone: once a ZIP has begun nobody can be told."""
    for entry, size in zip(entries, archive.sizes([entry.file for entry in entries]), strict=True):
        if size is None:
            raise NotFound(f"{entry.file.path} is not in the archive")


def zipped(archive: Archive, entries: Sequence[Entry]) -> Iterator[bytes]:
    """The ZIP's bytes, piece by piece; a few files are had here at a time. NotFound, Unavailable on the way."""
    pipe = _Pipe()
    with ZipFile(pipe, "w", ZIP_STORED) as bundle:  # type: ignore[call-overload]
        for some in (entries[start : start + AT_A_TIME] for start in range(0, len(entries), AT_A_TIME)):
            with archive.local([entry.file for entry in some]) as paths:
                for entry, path in zip(some, paths, strict=True):
                    info = ZipInfo(entry.name, max(FIRST_DATE, time.gmtime(entry.at)[:6]))
                    with bundle.open(info, "w", force_zip64=True) as target:
                        for piece in pieces(entry.file, path):
                            target.write(piece)
                            yield pipe.taken()
                    yield pipe.taken()
    yield pipe.taken()


def pieces(stored: StoredFile, path: Path) -> Iterator[bytes]:
    """A stored file that lies here, piece by piece, without a look at its digest; NotFound, Unavailable."""
    with disk_faults():
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise NotFound(f"{stored.path} is not in the archive") from None
        with file:
            while piece := file.read(PIECE):
                yield piece


def _folder(kind: InstanceKind) -> str:
    return "images" if kind is InstanceKind.IMAGE else "others"


class _Pipe:
    """Takes what ZipFile writes; it cannot be sought in, so sizes follow their files."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, piece: bytes) -> int:
        self._held += piece
        return len(piece)

    def flush(self) -> None:
        """Nothing is kept back."""

    def taken(self) -> bytes:
        piece, self._held = bytes(self._held), bytearray()
        return piece
