"""A study comes by TLS, its result goes by TLS, and certificates are renewed in between; DCMTK is at both ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_conf import MODELS, routes
from certificates import Authority, Identity
from pydicom import dcmread

from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.network.tls.settings import ClientTls
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(600)]


def ct_with_a_bright_box(folder: Path, name: str) -> tuple[str, list[Path]]:
    grid = Grid((24, 48, 48), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 1.5, 1.5)))
    voxels = np.full(grid.shape, -100.0, dtype=np.float32)
    voxels[8:16, 16:32, 16:32] = 400.0
    study = StudyDetails.of(name)
    return study.study_instance_uid, write_series(Volume(voxels, grid, "HU"), Acquisition.ct(study), folder / name)


def put(identity: Identity, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    shutil.copy(identity.certificate, folder / "node.crt")
    shutil.copy(identity.key, folder / "node.key")


def eventually(condition: Any, limit_s: float = 120.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_in_and_out_by_tls_through_a_renewal(
    make_node: Any, storescp: Any, dcmtk: Any, hospital: Authority, ours: Identity, scanner: Identity, tmp_path: Path
) -> None:
    pki, port = tmp_path / "pki", free_port()
    put(ours, pki)
    pacs = hospital.issue("pacs.hospital.example", names="DNS:pacs.hospital.example")
    scp = storescp("+xa", "+tls", str(pacs.key), str(pacs.certificate), "+cf", str(hospital.certificate))
    node = make_node(
        routes=routes("seg"),
        models=MODELS,
        pacs=Peer(
            ae_title=scp.aet, host="localhost", port=scp.port, tls=ClientTls(server_name="pacs.hospital.example")
        ),
        node=f"tls: {{port: {port}, certificate: {pki}/node.crt, key: {pki}/node.key, "
        f"authorities: {hospital.certificate}}}\n"
        "admission:\n- {ae_titles: [TESTER], may: []}\n- {ae_titles: [CT1], addresses: [127.0.0.1], may: [store]}\n",
    )

    def stored(study: list[Path], aet: str = "CT1") -> subprocess.CompletedProcess[str]:
        return dcmtk.run(
            "storescu", "-v", "-aet", aet, "-aec", "SEGNODE", "+tls", scanner.key, scanner.certificate,
            "+cf", hospital.certificate, "localhost", port, *study,
        )  # fmt: skip

    uid, first = ct_with_a_bright_box(tmp_path, "first")
    done = stored(first)
    assert done.returncode == 0, done.stdout
    assert [d["state"] for d in node.until_delivered(uid)["deliveries"]] == ["SENT"]
    assert [dcmread(path).Modality for path in scp.files()] == ["SEG"]

    (pki / "node.key").write_text("half a file")
    eventually(lambda: "TLS files are wrong" in " ".join(node.command("status")["needs_a_person"]))
    wrong = node.command("check", "--no-echo", ok=(2,))["problems"]
    assert any("tls.key" in problem and "holds no PEM private key" in problem for problem in wrong), wrong
    uid, second = ct_with_a_bright_box(tmp_path, "second")
    assert stored(second).returncode == 0, "the files of before are still in use"
    assert [d["state"] for d in node.until_delivered(uid)["deliveries"]] == ["SENT"]

    put(hospital.issue("renewed.hospital.example", ends_days=300), pki)
    eventually(lambda: "TLS files are wrong" not in " ".join(node.command("status")["needs_a_person"]))
    uid, third = ct_with_a_bright_box(tmp_path, "third")
    assert stored(third).returncode == 0
    assert [d["state"] for d in node.until_delivered(uid)["deliveries"]] == ["SENT"]
    assert len(scp.files()) == 3
    log = (node.folder / "node.log").read_text()
    assert "TLS files are renewed" in log

    refused = stored(third, aet="STRANGER")
    assert "Reason: Calling AE Title Not Recognized" in refused.stdout
    assert "'STRANGER' from 127.0.0.1 was rejected (1, 1, 3)" in (node.folder / "node.log").read_text()


def test_a_node_with_wrong_files_does_not_start_and_says_everything(
    tmp_path: Path, ours: Identity, scanner: Identity
) -> None:
    (tmp_path / "node.yaml").write_text(
        f"data_folder: data\nport: {free_port()}\n"
        f"tls:\n  certificate: {ours.certificate}\n  key: {scanner.key}\n  authorities: gone.pem\n"
    )
    command = [sys.executable, "-m", "dicom_node.cli", "serve", "--conf", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 2
    assert f"node.yaml:5: tls.key = '{scanner.key}': is not the key of the certificate" in done.stderr
    assert f"node.yaml:6: tls.authorities = '{tmp_path}/gone.pem': is not there" in done.stderr
