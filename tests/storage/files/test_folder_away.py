"""An archive in a folder whose file system has gone away: nothing is lost, made, noted or removed until it is back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mount import unmounted

from storage.database import Database
from storage.errors import NotFound, Unavailable
from storage.files.folder_archive import FolderArchive
from storage.records import StoredFile
from storage.upkeep.reconcile import sweep_orphans

STUDY, OBJECT = "1.2.3", "1.2.3.4"


def leave_block(archive: FolderArchive, stored: StoredFile) -> None:
    with archive.local([stored]):
        raise ValueError("it cannot be read")


ASKED: dict[str, Callable[[FolderArchive, StoredFile, Path], object]] = {
    "write": lambda archive, _, __: archive.write(STUDY, "1.2.3.5", [b"content"]),
    "read": lambda archive, stored, _: archive.read(stored),
    "checked": lambda archive, stored, _: archive.local([stored], checked=True).__enter__(),
    "local": lambda archive, stored, _: leave_block(archive, stored),
    "sizes": lambda archive, stored, _: archive.sizes([stored]),
    "remove": lambda archive, stored, _: archive.remove(stored),
    "confirm": lambda archive, stored, _: archive.confirm(stored),
    "note": lambda archive, _, __: archive.note("{}"),
    "noted": lambda archive, _, __: archive.noted(),
    "save": lambda archive, stored, folder: archive.save([stored.path], folder),
}


@pytest.mark.parametrize("asked", ASKED)
def test_whatever_is_asked_is_to_be_asked_again(archive: FolderArchive, tmp_path: Path, asked: str) -> None:
    stored = archive.write(STUDY, OBJECT, [b"content"])
    with unmounted(archive.root), pytest.raises(Unavailable):
        ASKED[asked](archive, stored, tmp_path / "saved")
    assert archive.read(stored) == b"content"


def test_a_file_that_alone_is_missing_is_lost(archive: FolderArchive) -> None:
    stored = archive.write(STUDY, OBJECT, [b"content"])
    archive.path(stored).unlink()
    assert archive.sizes([stored]) == [None]
    with pytest.raises(NotFound):
        archive.read(stored)
    with pytest.raises(ValueError, match="it cannot be read"):
        leave_block(archive, stored)


def test_the_sweep_notes_nothing_there(db: Database, archive: FolderArchive) -> None:
    """By its note the folder would pass for the archive."""
    sweep_orphans(db, archive, "00", 100.0)
    with unmounted(archive.root), pytest.raises(Unavailable):
        sweep_orphans(db, archive, "01", 400.0)
    sweep_orphans(db, archive, "01", 700.0)


def test_an_archive_that_is_known_is_not_begun_anew_and_goes_on_once_it_is_back(archive: FolderArchive) -> None:
    stored = archive.write(STUDY, OBJECT, [b"content"])
    with unmounted(archive.root):
        again = FolderArchive(archive.root, known=True)
        with pytest.raises(Unavailable, match="is its file system mounted"):
            again.check_there()
    assert again.read(stored) == b"content"
