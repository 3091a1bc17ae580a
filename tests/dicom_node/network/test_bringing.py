"""What a person brings settles when all of it is here, however long it takes to come in."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.network.bringing import SENDER, Bounds, Bringing, Shelf
from dicom_node.network.receive import Receiver
from dicom_node.network.register import OpenAssociation, Register
from storage.database import Database
from storage.folder_archive import FolderArchive

TERM_S = 30.0


def zipped(files: list[Path]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as bundle:
        for file in files:
            bundle.write(file, file.name)
    return content.getvalue()


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_study_does_not_settle_before_the_last_of_a_slow_file(
    database: Database, tmp_path: Path, make_slices: Callable[..., list[Path]], *, as_zip: bool
) -> None:
    now, files = 1000.0, make_slices(2)
    archive = FolderArchive(tmp_path / "archive")
    receiver = Receiver(database, archive, Register(database, "web", TERM_S), clock=lambda: now)
    person = OpenAssociation(SENDER, "SEGNODE", "10.0.0.1", wanted_task="")
    size = 1 << 20
    brings = Bringing(Shelf(database, archive, receiver, "web", TERM_S, lambda: now), Bounds(size, size, size), person)

    def settled() -> list[str]:
        with database.transaction() as tx:
            tx.associations.close_lapsed(now)  # as recovery does
            return [one.study_instance_uid for one in tx.studies.settled(now, 30.0)]

    brings.open()
    for name, content in [("study.zip", zipped(files))] if as_zip else [(one.name, one.read_bytes()) for one in files]:
        file = brings.file(name)
        for start in range(0, len(content), -(-len(content) // 4)):
            file.write(content[start : start + -(-len(content) // 4)])
            now += TERM_S / 2
            assert settled() == []
        file.close()
    assert settled() == []
    brings.close()
    assert settled() == [str(dcmread(files[0]).StudyInstanceUID)]
