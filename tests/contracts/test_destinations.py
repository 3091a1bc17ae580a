"""What every destination keeps: each object arrives whole under its own UID, once however often it is delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from web_archive import web_archive

from dicom_node.destinations import KINDS, Destination, DimseDestination, FolderDestination, StowDestination
from dicom_node.errors import NotOffered, PeerError, Unreachable
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.ports import free_port
from inference.findings import IntendedUse
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series
from storage.records import Reference


@dataclass(frozen=True)
class Place:
    """A destination that takes objects, one that cannot be reached, and a look at what has arrived."""

    destination: Destination
    unreachable: Destination
    arrived: Callable[[], list[Path]]


def _dimse(folder: Path) -> Iterator[Place]:
    with EmbeddedArchive(folder) as archive:
        yield Place(
            DimseDestination(ae_title="ARCHIVE", host="127.0.0.1", port=archive.port),
            DimseDestination(ae_title="ARCHIVE", host="127.0.0.1", port=free_port()),
            lambda: [kept.path for kept in archive.kept()],
        )


def _folder(folder: Path) -> Iterator[Place]:
    in_the_way = folder.with_name("file")
    in_the_way.touch()
    yield Place(FolderDestination(path=folder), FolderDestination(path=in_the_way), lambda: list(folder.iterdir()))


def _stow(folder: Path) -> Iterator[Place]:
    with web_archive(folder) as archive:
        yield Place(
            StowDestination(url=archive.url),
            StowDestination(url=f"http://127.0.0.1:{free_port()}/dicom-web"),
            archive.kept,
        )


PLACES = {"dimse": _dimse, "folder": _folder, "stow": _stow}


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from PLACES[request.param](tmp_path / "place")


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    grid = Grid((3, 8, 8), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2.0, 1.0, 1.0)))
    volume = Volume(np.arange(3 * 8 * 8, dtype=np.float32).reshape(grid.shape), grid, "HU")
    return write_series(volume, Acquisition.ct(StudyDetails.of("destinations")), tmp_path_factory.mktemp("objects"))


def by_uid(paths: list[Path]) -> dict[str, Dataset]:
    datasets = [dcmread(path) for path in paths]
    return {str(dataset.SOPInstanceUID): dataset for dataset in datasets}


def test_every_kind_is_tried() -> None:
    assert set(PLACES) == set(KINDS)


def test_objects_arrive_whole(place: Place, objects: list[Path]) -> None:
    statuses = place.destination.deliver(objects)
    sent, arrived = by_uid(objects), by_uid(place.arrived())
    assert {uid: str(status) for uid, status in statuses.items()} == dict.fromkeys(sent, "0x0000")
    assert arrived == sent


def test_delivering_again_brings_no_duplicate(place: Place, objects: list[Path]) -> None:
    first = place.destination.deliver(objects)
    assert place.destination.deliver(objects) == first
    assert len(place.arrived()) == len(objects)


def test_who_cannot_be_reached_is_tried_again_later(place: Place, objects: list[Path]) -> None:
    with pytest.raises(Unreachable) as caught:
        place.unreachable.deliver(objects)
    assert isinstance(caught.value, PeerError)
    assert str(caught.value)


def test_only_clinical_results_are_accepted_unless_said_otherwise(place: Place) -> None:
    assert place.destination.accepts == (IntendedUse.CLINICAL,)


def test_what_arrives_can_be_read_by_others(place: Place, objects: list[Path]) -> None:
    place.destination.deliver(objects)
    for path in place.arrived():
        head = path.read_bytes()
        assert head[128:132] == b"DICM"
        assert dcmread(BytesIO(head)).pixel_array.shape == (8, 8)


def test_who_has_no_storage_commitment_is_not_offered_it(place: Place) -> None:
    with pytest.raises(NotOffered):
        place.destination.ask_commitment("2.25.1", [Reference("1.2", "1.3")], heard=lambda *_: True, wait_s=0.0)


def test_commitment_is_required_only_where_it_is_asked_for(place: Place) -> None:
    assert place.destination.asks_commitment or not place.destination.requires_commitment
