"""The archive's seam: what is asked of whoever keeps the files, on a disk or in an object storage.

A stored file is found under a path that is the same everywhere, so that an archive may move:

    ab/cd/STUDY/OBJECT.dcm     hashes of the study's UID, of the object's UID and of its content

Nothing that came over the network is part of it. What is stored is whole and outlives a power cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from storage.files.disk import disk_faults
from storage.identifiers import check_uid
from storage.records import StoredFile

INCOMING = "incoming"
NOTE = "note.json"


class Lot(NamedTuple):
    """One study's files as they lie: its folder, and by path when each was written, in seconds since 1970."""

    folder: str
    written: dict[str, float]


@dataclass(frozen=True)
class Placed:
    """A file under its final name, which is being made durable."""

    file: StoredFile
    settled: Future[None] | None = None  # None: it is

    def settle(self) -> None:
        """Return when the name is durable; Unavailable where the disk fails."""
        if self.settled is not None:
            with disk_faults():
                self.settled.result()


class Archive(Protocol):
    """Keeps Part 10 files; threads, processes and machines may write and read at the same time.

    Unavailable where the disk fails or the storage does not answer, in every method, and where all files are away.
    """

    @property
    def incoming(self) -> Path:
        """A folder on a disk of this machine for what is still coming in; `sweep_parts` empties it."""
        ...

    @property
    def fills_disk(self) -> bool:
        """Whether the files lie on the disk that `free_bytes` is of, so that to remove some makes room there."""
        ...

    def __str__(self) -> str:
        """Where the files are, in words for a person."""
        ...

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
        after `confirm`. BadIdentifier; NoRoom below the watermark.
        """
        placed = self.place(study_uid, sop_uid, chunks, content_sha256, ours=ours)
        placed.settle()
        return placed.file

    def place(
        self,
        study_uid: str,
        sop_uid: str,
        chunks: Iterable[bytes | memoryview],
        content_sha256: str | None = None,
        *,
        ours: bool = False,
    ) -> Placed:
        """`write`, but for its last sync: what is left of it goes on in another thread.

        Before anything is promised `Placed.settle` has returned. A row may be committed before: where the power fails
        in between, `finish_parts` finds the file's place.
        """
        ...

    def check_there(self) -> None:
        """Unavailable where all files are away: one that is missing then is not lost."""
        ...

    def confirm(self, stored: StoredFile) -> None:
        """Unavailable where the file has gone since it was written; asked in the transaction that names it.

        Whoever removes files does so where no row names them, in a transaction that such rows wait for
        (`Removals.hold_files`). So a row that was committed after this question has its file.
        """
        ...

    def local(self, files: Sequence[StoredFile], *, checked: bool = False) -> AbstractContextManager[list[Path]]:
        """Where the files lie on this machine while the block lasts, all brought there at once; none is to be changed.

        Where one is gone its path leads nowhere: who opens it is told so. With `checked` that is NotFound here, and
        Damaged where a data set is not what was written. Unavailable instead of whatever ends the block where all files
        are away by then.
        """
        ...

    def read(self, stored: StoredFile) -> bytes:
        """The whole file as it is stored; NotFound, or Damaged where its data set is not what was written."""
        ...

    def sizes(self, files: Sequence[StoredFile]) -> list[int | None]:
        """How many bytes are stored of each; None of one that is gone."""
        ...

    def remove(self, *files: StoredFile) -> None:
        """Delete files; one that is gone already is no error."""
        ...

    def free_bytes(self) -> int:
        """How much may still be written on the disk of `incoming`."""
        ...

    def trouble(self) -> str:
        """Why nothing is taken, whatever room there is on this machine's disk; "" where nothing keeps it."""
        ...

    def has_room(self) -> bool:
        """True while new objects are taken."""
        ...

    def finish_parts(self, older_than: float, named: Callable[[str], bool]) -> int:
        """Give their names to whole files whose rows were committed when the power failed; gives their number.

        `named` says whether a row names a path. What no row names is left to `sweep_parts`.
        """
        ...

    def sweep_parts(self, older_than: float) -> int:
        """Delete what this machine's writers were last at before `older_than` and left behind; gives the number."""
        ...

    def lots(self, prefix: str) -> Iterator[Lot]:
        """What lies below `prefix`, the first of a path's folders and one of 256 that share the load, by study."""
        ...

    def drop_unfinished(self, prefix: str, older_than: float) -> int:
        """Drop what was begun below `prefix` before `older_than` and never became a file; gives the number."""
        ...

    def drop_folder(self, study_uid: str) -> None:
        """Remove the study's folder if it is empty."""
        ...

    def note(self, text: str) -> None:
        """Keep a text beside the files, in the place of the one before."""
        ...

    def noted(self) -> str:
        """What was noted last, by whichever machine; "" where nothing was."""
        ...

    def save(self, paths: Sequence[str], folder: Path) -> int:
        """Link or copy files to the same paths below `folder`; how many there were, since some may have gone."""
        ...

    def put_back(self, paths: Sequence[str], folder: Path) -> None:
        """Take files that `save` has left below `folder`; what is there stays."""
        ...


def folder_name(study_uid: str) -> str:
    """The study's folder below the root; BadIdentifier.

    Of its levels the first two have 256 entries at most, the third a 65536th of all studies.
    """
    name = uid_hash(study_uid)
    return f"{name[:2]}/{name[2:4]}/{name[4:36]}"


def object_name(sop_uid: str) -> str:
    """What the names of an object's files begin with; BadIdentifier."""
    return uid_hash(sop_uid)[:32]


def file_name(name: str, sha256: str) -> str:
    """The name of the file that holds this content of the object `name`."""
    return f"{name}-{sha256[:32]}.dcm"


def uid_hash(uid: str) -> str:
    """SHA-256 of a UID; BadIdentifier."""
    return hashlib.sha256(check_uid(uid).encode("ascii")).hexdigest()
