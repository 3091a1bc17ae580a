"""A result goes to a PACS by DICOMweb, byte by byte what the archive by C-STORE gets; an outage only delays it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_conf import MODELS, routes
from pydicom import dcmread

from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = [pytest.mark.peer, pytest.mark.timeout(400)]

GRID = Grid((6, 32, 32), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 1.5, 1.5)))


@pytest.fixture
def orthanc_settings(dicomweb: dict[str, Any]) -> dict[str, Any]:
    return dicomweb


def scan(folder: Path) -> tuple[str, list[Path]]:
    """A small CT with a bright body."""
    array = np.full(GRID.shape, -50.0, np.float32)
    array[2:5, 10:22, 8:20] = 300.0
    study = StudyDetails.of("stow")
    return study.study_instance_uid, write_series(Volume(array, GRID, "HU"), Acquisition.ct(study), folder)


def test_seg_and_sr_arrive_by_stow_as_they_do_by_c_store(orthanc: Any, make_node: Any, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    node = make_node(
        routes=routes("seg", "sr").replace("[pacs]", "[pacs, web]"),
        models=MODELS,
        beside=f"  web:\n    kind: stow\n    url: {orthanc.url}/dicom-web\n    accepts: [demonstration]\n"
        f"    authentication: {{kind: basic, user: segnode, password: {{file: {password}}}}}\n",
    )
    assert f"web ({orthanc.url}/dicom-web) answers QIDO-RS" in node.run("check").stdout
    password.write_text("close sesame\n")  # somebody has changed it here and not there
    study, images = scan(tmp_path / "images")
    node.send(images)
    node.until(study, lambda view: any("credentials" in delivery["reason"] for delivery in view["deliveries"]))
    password.write_text("open sesame\n")
    node.run("retry", "--destination", "web")
    node.until_delivered(study)

    by_c_store = {str(dcmread(kept.path).SOPInstanceUID): kept.path for kept in node.archive.kept()}
    by_stow = {}
    for instance in orthanc.get("/instances"):
        uid = orthanc.get(f"/instances/{instance}")["MainDicomTags"]["SOPInstanceUID"]
        by_stow[uid] = orthanc.file(instance)
    assert set(by_stow) == set(by_c_store)
    assert sorted(dcmread(path).Modality for path in by_c_store.values()) == ["SEG", "SR", "SR"]
    assert sorted(by_stow.values()) == sorted(archived(node, uid) for uid in by_stow)
    log = (node.folder / "node.log").read_text()
    assert "sesame" not in log


def archived(node: Any, uid: str) -> bytes:
    """The result as it lies in the node's own folder."""
    for path in (node.folder / "data").rglob("*.dcm"):
        if str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) == uid:
            return path.read_bytes()
    raise AssertionError(uid)
