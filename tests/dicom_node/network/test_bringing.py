"""What a person brings settles when all of it is here, however long it takes to come in."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.network.bringing import SENDER, Bounds, Bringing, Shelf
from dicom_node.network.receive import Receiver
from dicom_node.network.register import OpenAssociation, Register
from storage.database import Database
from storage.files.folder_archive import FolderArchive

TERM_S = 30.0
SIZE = 1 << 20


def zipped(files: list[Path]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as bundle:
        for file in files:
            bundle.write(file, file.name)
    return content.getvalue()


@dataclass
class Scene:
    """A person who brings files while the clock is turned by hand."""

    database: Database
    archive: FolderArchive
    now: float = 1000.0
    brings: Bringing = field(init=False)

    def __post_init__(self) -> None:
        register = Register(self.database, "web", TERM_S)
        receiver = Receiver(self.database, self.archive, register, clock=lambda: self.now)
        person = OpenAssociation(SENDER, "SEGNODE", "10.0.0.1", wanted_task="")
        shelf = Shelf(self.database, self.archive, receiver, "web", TERM_S, lambda: self.now)
        self.brings = Bringing(shelf, Bounds(SIZE, SIZE, SIZE), person)
        self.brings.open()

    def bring(self, path: Path) -> None:
        file = self.brings.file(path.name)
        file.write(path.read_bytes())
        file.close()

    def settled(self) -> list[str]:
        with self.database.transaction() as tx:
            tx.associations.close_lapsed(self.now)  # as recovery does
            return [one.study_instance_uid for one in tx.studies.settled(self.now, 30.0)]


@pytest.fixture
def scene(database: Database, tmp_path: Path) -> Scene:
    return Scene(database, FolderArchive(tmp_path / "archive"))


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_study_does_not_settle_before_the_last_of_a_slow_file(
    scene: Scene, make_slices: Callable[..., list[Path]], *, as_zip: bool
) -> None:
    files = make_slices(2)
    for name, content in [("study.zip", zipped(files))] if as_zip else [(one.name, one.read_bytes()) for one in files]:
        file, quarter = scene.brings.file(name), -(-len(content) // 4)
        for start in range(0, len(content), quarter):
            file.write(content[start : start + quarter])
            scene.now += TERM_S / 2
            assert scene.settled() == []
        file.close()
    assert scene.settled() == []
    scene.brings.close()
    assert scene.settled() == [str(dcmread(files[0]).StudyInstanceUID)]


def test_nor_once_a_connection_that_stood_still_goes_on(
    scene: Scene, make_slices: Callable[..., list[Path]]
) -> None:
    first, second = make_slices(2)
    for path in (first, second):
        scene.bring(path)
        assert scene.settled() == []
        scene.now += 2 * TERM_S
        assert scene.settled() == [str(dcmread(first).StudyInstanceUID)], "nobody knows whether it goes on"


def test_also_where_another_person_brings_files_meanwhile(
    scene: Scene, make_slices: Callable[..., list[Path]]
) -> None:
    first, second = make_slices(2)
    for path in (first, second):
        scene.bring(path)
        scene.now += 2 * TERM_S
        scene.settled()
        Scene(scene.database, scene.archive, scene.now)
        scene.brings.going_on()
        assert scene.settled() == []
