"""Storage commitment with a PACS in both directions, also across a restart of ours."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_conf import MODELS, routes
from commitment_peer import CommitmentPeer, request
from pydicom import dcmread
from running_node import MakeNode, RunningNode

from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = [pytest.mark.peer, pytest.mark.timeout(900)]

ROUTES = routes("seg")
NO_ROUTE = routes("seg", when="{kind: modality, any_of: [MR]}")
OWN = "commitment: {service: own}"
SOON = "commitment: {ask_after_s: 2, wait_s: 0.5}\ndelivery: {backoff_base_s: 0.5}"


@pytest.fixture
def scan(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, list[Path]]:
    """A tiny CT with something bright in it, each test's own: its study's UID and its files."""
    grid = Grid((6, 64, 64), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 4.0, 4.0)))
    voxels = np.full(grid.shape, -1000.0, np.float32)
    voxels[:, 12:52, 12:52] = 50.0
    voxels[2:4, 28:36, 28:36] = 400.0
    acquisition = Acquisition.ct(StudyDetails.of(f"commitment {request.node.name}"))
    paths = write_series(Volume(voxels, grid, "HU"), acquisition, tmp_path / "scan")
    return acquisition.study.study_instance_uid, paths


@pytest.fixture(scope="module")
def orthanc(make_shared_orthanc: Any) -> Any:
    return make_shared_orthanc({})


@pytest.fixture(scope="module")
def pacs(orthanc: Any) -> Peer:
    return Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)


def until(condition: Callable[[], Any], limit_s: float = 240.0) -> Any:
    """What `condition` gives once it gives something."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return found


def state(view: dict[str, Any]) -> str:
    (delivery,) = view["deliveries"]
    return delivery["state"]


def asked(view: dict[str, Any]) -> int:
    (delivery,) = view["deliveries"]
    return delivery["commitment"]["asked"] if delivery["commitment"] else 0


def references(paths: list[Path]) -> list[list[str]]:
    headers = [dcmread(path, stop_before_pixels=True) for path in paths]
    return [[header.SOPClassUID, header.SOPInstanceUID] for header in headers]


@pytest.fixture(scope="module")
def asking(make_shared_node: MakeNode, pacs: Peer) -> RunningNode:
    """A node that asks whether its results are kept, and answers nobody who asks it."""
    return make_shared_node(routes=ROUTES, models=MODELS, pacs=pacs, node=SOON)


class TestTheyKeepOurs:
    """We are the user of the service: the PACS commits our results."""

    def test_the_pacs_commits_what_it_got(
        self, asking: RunningNode, orthanc: Any, scan: tuple[str, list[Path]]
    ) -> None:
        (uid, paths), node = scan, asking
        orthanc.know("segnode", "SEGNODE", node.peer.port)
        node.send(paths)
        view = node.until(uid, lambda view: view["deliveries"] and state(view) == "COMMITTED")
        assert node.journal(uid, "committed") == ["pacs: 1 of 1 instances kept"]
        assert view["deliveries"][0]["commitment"]["state"] == "COMMITTED"

    def test_the_report_comes_to_the_process_after_a_crash(
        self, asking: RunningNode, orthanc: Any, scan: tuple[str, list[Path]]
    ) -> None:
        (uid, paths), node = scan, asking
        later = node.peer.model_copy(update={"port": free_port()})
        orthanc.know("segnode", "SEGNODE", later.port)  # where nobody listens yet
        node.send(paths)
        view = node.until(uid, lambda view: bool(view["deliveries"]) and asked(view) == 1)
        assert state(view) == "SENT"
        assert view["barred_until"] is None, "nothing of it may be deleted while this is open"
        node.kill()
        (failed,) = until(lambda: reporting_jobs(orthanc, "Failure"))
        settings = node.conf / "node.yaml"
        settings.write_text(settings.read_text().replace(f"port: {node.peer.port}\n", f"port: {later.port}\n"))
        node.peer = later
        node.start()
        orthanc.post(f"/jobs/{failed}/resubmit", {})
        node.until(uid, lambda view: state(view) == "COMMITTED")
        assert node.journal(uid, "committed") == ["pacs: 1 of 1 instances kept"]

    def test_what_the_pacs_lost_is_sent_again(
        self, asking: RunningNode, orthanc: Any, scan: tuple[str, list[Path]]
    ) -> None:
        (uid, paths), node = scan, asking
        orthanc.know("segnode", "SEGNODE", node.peer.port)
        node.send(paths)
        node.until(uid, lambda view: bool(view["deliveries"]) and state(view) == "SENT")
        orthanc.delete(f"/studies/{orthanc.study(uid)['ID']}")
        node.until(uid, lambda view: state(view) == "COMMITTED")
        (lost,) = node.journal(uid, "not committed")
        assert lost.startswith("pacs: 0 of 1 instances kept; 1 not: no such object instance (0112H); sent again in")
        assert len(orthanc.series(uid)) == 1


class TestWeKeepTheirs:
    """We are the provider: the PACS, or a scanner, asks us."""

    def send(self, node: Any, orthanc: Any, paths: list[Path]) -> None:
        orthanc.send("segnode", orthanc.upload(paths))

    def ask(self, orthanc: Any, instances: list[list[str]]) -> str:
        """Have the PACS ask us; where it tells what became of it."""
        return orthanc.post("/modalities/segnode/storage-commitment", {"DicomInstances": instances})["Path"]

    def ended(self, orthanc: Any, path: str) -> dict[str, Any]:
        return until(lambda: (found := orthanc.get(path))["Status"] != "Pending" and found)

    def test_what_we_hold_and_what_we_do_not_also_after_a_crash(
        self, make_node: Any, orthanc: Any, pacs: Peer, scan: tuple[str, list[Path]]
    ) -> None:
        uid, paths = scan
        wrong_port = f"{OWN}\npeers: {{pacs: {{ae_title: {pacs.ae_title}, host: 127.0.0.1, port: 9}}}}"
        node = make_node(routes=NO_ROUTE, models=MODELS, pacs=pacs, node=wrong_port)
        orthanc.know("segnode", "SEGNODE", node.peer.port)
        self.send(node, orthanc, paths)
        held = references(paths)
        path = self.ask(orthanc, held)
        node.kill()
        assert orthanc.get(path)["Status"] == "Pending"
        settings = node.conf / "node.yaml"
        settings.write_text(settings.read_text().replace("port: 9}", f"port: {pacs.port}}}"))
        node.start()
        yes = self.ended(orthanc, path)
        assert (yes["Status"], len(yes["Success"]), yes["Failures"]) == ("Success", 6, [])
        assert node.study(uid)["barred_until"] > time.time() + 29 * 86400

        wrong = [[held[0][0], "1.2.3.404"], ["1.2.840.10008.5.1.4.1.1.4", held[1][1]], held[2]]
        no = self.ended(orthanc, self.ask(orthanc, wrong))
        assert (no["Status"], len(no["Success"])) == ("Failure", 1)
        whys = [failure["FailureReason"] for failure in no["Failures"]]
        assert whys == [0x0112, 0x0119], "no such object instance, class-instance conflict (PS3.3 C.14.1.1)"

    def test_off_it_is_refused(self, asking: RunningNode, orthanc: Any, scan: tuple[str, list[Path]]) -> None:
        _, paths = scan
        orthanc.know("segnode", "SEGNODE", asking.peer.port)
        with pytest.raises(urllib.error.HTTPError):
            self.ask(orthanc, references(paths))

    def test_relayed_it_is_the_archives_answer(
        self, make_node: Any, orthanc: Any, pacs: Peer, scan: tuple[str, list[Path]]
    ) -> None:
        uid, paths = scan
        with CommitmentPeer("CT1") as scanner:
            relay = "service: relay, relay_to: pacs, wait_s: 0.5"
            known = f"peers: {{ct: {{ae_title: CT1, host: 127.0.0.1, port: {scanner.port}}}}}"
            node = make_node(routes=NO_ROUTE, models=MODELS, pacs=pacs, node=f"commitment: {{{relay}}}\n{known}")
            orthanc.know("segnode", "SEGNODE", node.peer.port)
            node.send(paths, calling_aet="CT1")
            held = [(str(sop_class), str(instance)) for sop_class, instance in references(paths)]

            assert scanner.ask(node.peer, request("1.2.3.9", held)) == 0x0000
            until(lambda: scanner.reports)
            kind, told = scanner.reports[0]
            assert (kind, len(told.FailedSOPSequence)) == (2, 6), "we hold them, the archive does not"
            assert {item.FailureReason for item in told.FailedSOPSequence} == {0x0112}

            orthanc.upload(paths)
            assert scanner.ask(node.peer, request("1.2.3.10", held)) == 0x0000
            until(lambda: len(scanner.reports) > 1)
            kind, told = scanner.reports[1]
            assert (kind, told.TransactionUID, len(told.ReferencedSOPSequence)) == (1, "1.2.3.10", 6)
            assert node.study(uid)["barred_until"] == 0.0


def reporting_jobs(orthanc: Any, outcome: str) -> list[str]:
    """Orthanc's jobs that report on commitments to us, by their state."""
    jobs = orthanc.get("/jobs?expand")
    return [job["ID"] for job in jobs if job["Type"] == "StorageCommitmentScp" and job["State"] == outcome]
