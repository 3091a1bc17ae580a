"""A node that has lost its data asks the PACS what we found before, and has it here before it dispatches."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_conf import MODELS, routes

from dicom_node.network.peer import Peer
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.acquisition import Patient
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

IMAGES = 40
ROUTES = routes("seg", "sr")
WHO = Patient(name="Roentgen^Anna", patient_id="P-1845", birth_date="18450327", sex="F")


@pytest.fixture
def orthanc_settings() -> dict[str, Any]:
    """It answers whoever asks; where it may send to it must be told."""
    return {"DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True, "DicomAlwaysAllowGet": True}


def scan(name: str, date: str, folder: Path, patient: Patient = WHO) -> tuple[str, list[Path]]:
    """A small CT of a bright ball on some day: its study UID and 40 files."""
    shape = (IMAGES, 32, 32)
    grid = Grid(shape, regular_affine(np.zeros(3), np.eye(3)[:, ::-1], Spacing(3.0, 1.5, 1.5)), "1.2.826.0.1.77")
    z, y, x = np.indices(shape)
    ball = (x - 16) ** 2 + (y - 16) ** 2 + 4 * (z - 20) ** 2 < 100
    study = StudyDetails.of(name, date=date, patient=patient)
    volume = Volume(np.where(ball, 300, -50).astype(np.float32), grid, "HU")
    return study.study_instance_uid, write_series(volume, Acquisition.ct(study), folder / name)


def priors(**keys: object) -> str:
    """node.yaml's line for the destination `pacs` as the archive that is asked."""
    return "priors: {" + ", ".join(f"{key}: {value}" for key, value in ({"archive": "pacs"} | keys).items()) + "}\n"


@pytest.fixture(scope="module")
def earlier(make_shared_node: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    """An earlier study whose results a node made that is no more: the study's UID, its files and theirs."""
    uid, paths = scan("earlier", "20240105", tmp_path_factory.mktemp("earlier"))
    node = make_shared_node(routes=ROUTES, models=MODELS)
    node.send(paths)
    node.until_delivered(uid)
    node.stop()
    return uid, [*paths, *sorted((node.folder / "archive").rglob("*.dcm"))]


@pytest.fixture
def history(orthanc: Any, earlier: tuple[str, list[Path]]) -> str:
    """The PACS holds the earlier study with our results; the study's UID."""
    uid, files = earlier
    orthanc.upload(files)
    return uid


def peer_of(orthanc: Any) -> Peer:
    return Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)


@pytest.mark.parametrize("how", ["move", "get"])
def test_an_earlier_result_is_here_before_dispatch_and_nothing_is_made_of_it(
    make_node: Any, orthanc: Any, tmp_path: Path, history: str, how: str
) -> None:
    node = make_node(routes=ROUTES, models=MODELS, pacs=peer_of(orthanc), node=priors(retrieve=how))
    orthanc.know("segnode", "SEGNODE", node.peer.port)
    uid, paths = scan("new", "20250401", tmp_path)
    node.send(paths)

    view = node.until_delivered(uid)
    (found,) = view["recall"]["found"]
    assert (found["study"], found["task"], found["images"]) == (history, "liver_tumour", IMAGES)
    assert view["recall"]["state"] == "DONE"
    events = [entry["event"] for entry in node.explain(uid)["history"]]
    assert events.index("complete") < events.index("priors") < events.index("job made")
    assert node.journal(uid, "priors") == ["1 earlier result found at pacs"]

    prior = node.study(history)
    assert (prior["state"], prior["images"], prior["jobs"], prior["from"]) == ("NOT_ROUTED", IMAGES, [], [])
    assert node.journal(history, "kept as prior") == ["kept as a prior of another study; it is not routed"]
    with node.database.reading() as tx:
        (one,) = tx.recalls.find(uid).found
        held = {i.sop_instance_uid: i.header for i in tx.studies.instances(study_uid=history)}
    assert one.seg in held
    heights = [held[image]["ImagePositionPatient"][2] for image in one.instances]
    assert heights == sorted(heights, reverse=heights[0] > heights[-1])
    assert len(orthanc.series(history)) == 4, "the CT, SEG and two reports, as before"

    spooled = "".join(file.read_text() for file in (node.folder / "data" / "audit").rglob("*") if file.is_file())
    assert 'originalText="Query"' in spooled, "the audit trail knows what was asked"
    log = (node.folder / "node.log").read_text()
    assert not any(value in log for value in (WHO.patient_id, WHO.birth_date, "Roentgen"))


@pytest.fixture
def silent() -> Iterator[Peer]:
    """A PACS that takes calls and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as ear:
        yield Peer(ae_title="MUTE", host="127.0.0.1", port=ear.getsockname()[1])


def test_a_silent_archive_delays_no_result_beyond_the_deadline(make_node: Any, tmp_path: Path, silent: Peer) -> None:
    peers = f"peers:\n  mute: {{ae_title: MUTE, host: 127.0.0.1, port: {silent.port}}}\n"
    node = make_node(routes=ROUTES, models=MODELS, node=peers + priors(archive="mute", deadline_s=4))
    uid, paths = scan("new", "20250401", tmp_path)
    node.send(paths)
    view = node.until_delivered(uid)
    assert view["jobs"][0]["state"] == "DONE"
    with node.database.reading() as tx:
        at = {entry.event: entry.at for entry in tx.journal.of_study(uid)}
    assert 4 <= at["job made"] - at["complete"] < 12
    node.until(uid, lambda view: view["recall"]["state"] == "GIVEN_UP", 60)
    (text,) = node.journal(uid, "priors given up")
    assert text.startswith("waited 4 s for earlier results from mute")


def test_who_bears_the_same_id_and_another_birth_date_is_another_patient(
    make_node: Any, orthanc: Any, tmp_path: Path, history: str
) -> None:
    node = make_node(routes=ROUTES, models=MODELS, pacs=peer_of(orthanc), node=priors(retrieve="get"))
    orthanc.know("segnode", "SEGNODE", node.peer.port)
    other = replace(WHO, name="Roentgen^Bertha", birth_date="18390422")
    uid, paths = scan("new", "20250401", tmp_path, other)
    node.send(paths)
    view = node.until_delivered(uid)
    assert (view["recall"]["state"], view["recall"]["found"]) == ("DONE", [])
    (text,) = node.journal(uid, "prior refused")
    assert text == "1 study or object names another patient under this ID at pacs; left out"
    with node.database.reading() as tx:
        assert tx.studies.find(history) is None
