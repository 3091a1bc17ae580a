"""Storage commitment with a PACS in both directions, also across a restart of ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.network.peer import Peer
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]

MODELS = "models:\n  bright: {task: liver_tumour, kind: threshold, lower: 150, upper: 3000}\n"
ROUTES = """
routes:
  - name: everything
    when: {kind: volume}
    select: {kind: one_series, role: CT}
    task: liver_tumour
    model: bright
    outputs: [seg]
    destinations: [pacs]
"""
SOON = "commitment: {ask_after_s: 0, wait_s: 0.5}"


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    """A tiny CT with something bright in it: its study's UID and its files."""
    grid = Grid((6, 64, 64), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 4.0, 4.0)))
    voxels = np.full(grid.shape, -1000.0, np.float32)
    voxels[:, 12:52, 12:52] = 50.0
    voxels[2:4, 28:36, 28:36] = 400.0
    acquisition = Acquisition.ct(StudyDetails.of("commitment"))
    paths = write_series(Volume(voxels, grid, "HU"), acquisition, tmp_path_factory.mktemp("scan"))
    return acquisition.study.study_instance_uid, paths


@pytest.fixture
def pacs(orthanc: Any) -> Peer:
    return Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)


def until(condition: Callable[[], Any], limit_s: float = 60.0) -> Any:
    """What `condition` gives once it gives something."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return found


def state(view: dict[str, Any]) -> str:
    (delivery,) = view["deliveries"]
    return delivery["state"]


def references(paths: list[Path]) -> list[list[str]]:
    headers = [dcmread(path, stop_before_pixels=True) for path in paths]
    return [[header.SOPClassUID, header.SOPInstanceUID] for header in headers]


class TestTheyKeepOurs:
    """We are the user of the service: the PACS commits our results."""

    def test_the_pacs_commits_what_it_got(
        self, make_node: Any, orthanc: Any, pacs: Peer, scan: tuple[str, list[Path]]
    ) -> None:
        uid, paths = scan
        node = make_node(routes=ROUTES, models=MODELS, pacs=pacs, node=SOON)
        orthanc.know("segnode", "SEGNODE", node.peer.port)
        node.send(paths)
        view = node.until(uid, lambda view: view["deliveries"] and state(view) == "COMMITTED")
        assert node.journal(uid, "committed") == ["pacs: 1 of 1 instances kept"]
        assert view["deliveries"][0]["commitment"]["state"] == "COMMITTED"

    def test_the_report_comes_to_the_process_after_a_crash(
        self, make_node: Any, orthanc: Any, pacs: Peer, scan: tuple[str, list[Path]]
    ) -> None:
        uid, paths = scan
        node = make_node(routes=ROUTES, models=MODELS, pacs=pacs, node=SOON)
        orthanc.know("segnode", "SEGNODE", 9)  # the PACS reports to a port where nobody listens
        node.send(paths)
        view = node.until(uid, lambda view: view["deliveries"] and view["deliveries"][0]["commitment"]["asked"] == 1)
        assert state(view) == "SENT"
        node.kill()
        orthanc.know("segnode", "SEGNODE", node.peer.port)
        node.start()
        (failed,) = until(lambda: orthanc_reports(orthanc, "Failure"))
        orthanc.post(f"/jobs/{failed}/resubmit", {})
        node.until(uid, lambda view: state(view) == "COMMITTED")


def orthanc_reports(orthanc: Any, outcome: str) -> list[str]:
    """Orthanc's jobs that report on commitments to us, by their state."""
    jobs = orthanc.get("/jobs?expand")
    return [job["ID"] for job in jobs if job["Type"] == "StorageCommitmentScp" and job["State"] == outcome]
