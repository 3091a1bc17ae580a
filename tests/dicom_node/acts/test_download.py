"""A study as a ZIP."""

from __future__ import annotations

import io
from zipfile import ZipFile

import pytest
from pictured import place  # noqa: F401 (a fixture)

from dicom_node.acts.download import Entry, entries_of, zipped
from dicom_node.assembly import Parts
from storage.errors import NotFound
from storage.files.folder_archive import FolderArchive
from storage.records import StoredFile


def test_images_and_results_under_names_that_tell_nobody(place: str, parts: Parts) -> None:  # noqa: F811
    study = place.split("/")[2]
    with parts.database.reading() as tx:
        entries = entries_of(tx, study)
    bundle = ZipFile(io.BytesIO(b"".join(zipped(parts.archive, entries))))
    assert bundle.testzip() is None
    assert len([name for name in bundle.namelist() if name.startswith("images/")]) == 4
    assert [name for name in bundle.namelist() if name.startswith("results/job/seg-")]
    assert bundle.read(entries[0].name) == parts.archive.path(entries[0].file).read_bytes()
    assert all("Doe" not in name for name in bundle.namelist())


def test_it_comes_in_pieces_and_holds_no_more_than_one(tmp_path) -> None:
    archive = FolderArchive(tmp_path)
    (tmp_path / "large").write_bytes(bytes(5 << 20))
    pieces = list(zipped(archive, [Entry("a", StoredFile("large", 1, ""), 100.0)]))
    assert max(map(len, pieces)) < 2 << 20
    assert ZipFile(io.BytesIO(b"".join(pieces))).read("a") == bytes(5 << 20)


def test_what_is_not_there_is_said(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.removals.remove("1.2.4", 500.0)
        for study in ("1.2.4", "1.2.9"):
            with pytest.raises(NotFound):
                entries_of(tx, study)
    lost = [Entry("a", StoredFile("gone", 1, ""), 1.0)]
    with pytest.raises(NotFound, match="not in the archive"):
        list(zipped(story.archive, lost))
