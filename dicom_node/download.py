"""A study as one ZIP file, written while it is sent. No name in it says whose it is; the files themselves do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from storage.archive import Archive
from storage.database import Transaction
from storage.errors import NotFound
from storage.records import InstanceKind, StoredFile

PIECE = 1 << 20
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
    for job in tx.jobs.of_study(study_uid):
        at = job.finished_at or job.created_at
        for made in tx.results.of_job(job.job_id):
            if made.removed_at is None:
                name = f"results/{job.job_id[:16]}/{made.kind}-{made.sop_instance_uid}.dcm"
                found.append(Entry(name, made.file, at))
    if not found:
        raise NotFound(f"nothing of study {study_uid} is held any more")
    return found


def check_there(archive: Archive, entries: Sequence[Entry]) -> None:
    """NotFound where a file is gone: once a ZIP has begun nobody can be told."""
    for entry in entries:
        with archive.opened(entry.file):
            continue


def zipped(archive: Archive, entries: Sequence[Entry]) -> Iterator[bytes]:
    """The ZIP's bytes, piece by piece; each file is read as it is needed. NotFound, Unavailable on the way."""
    pipe = _Pipe()
    with ZipFile(pipe, "w", ZIP_STORED) as bundle:  # type: ignore[call-overload]
        for entry in entries:
            info = ZipInfo(entry.name, max(FIRST_DATE, time.gmtime(entry.at)[:6]))
            with archive.opened(entry.file) as source, bundle.open(info, "w", force_zip64=True) as target:
                while piece := source.read(PIECE):
                    target.write(piece)
                    yield pipe.taken()
            yield pipe.taken()
    yield pipe.taken()


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
