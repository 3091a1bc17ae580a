"""One result goes to two destinations in the forms that each wants: everything to a PACS, pictures to a share."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_conf import MODELS, routes
from pydicom import dcmread

from dicom_node.network.peer import Peer
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = [pytest.mark.peer, pytest.mark.timeout(400)]

EVERYTHING = (
    "{preset: weasis, diameters: true, captures: key, structure_set: true, fractional: true, probability_map: true}"
)
GRID = Grid((8, 64, 64), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 1.5, 1.5)))


def scan(folder: Path) -> tuple[str, list[Path]]:
    """A small CT with two bright bodies."""
    array = np.full(GRID.shape, -50.0, np.float32)
    array[2:6, 10:22, 8:20] = 300.0
    array[4:7, 40:50, 30:44] = 300.0
    study = StudyDetails.of("profiles")
    return study.study_instance_uid, write_series(Volume(array, GRID, "HU"), Acquisition.ct(study), folder)


def test_each_destination_gets_its_own_objects(orthanc: Any, make_node: Any, tmp_path: Path) -> None:
    share = tmp_path / "share"
    node = make_node(
        routes=routes("seg", "sr").replace("[pacs]", "[pacs, share]"),
        models=MODELS.replace("}", ", label: 2}"),  # tumours: what is no lesion has no diameters
        pacs=Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port),
        profile=EVERYTHING,
        beside=f"  share: {{kind: folder, path: {share}, accepts: [demonstration], profile: images}}\n",
    )
    study, images = scan(tmp_path / "images")
    node.send(images)
    node.until_delivered(study)
    time.sleep(2)  # Orthanc tells of a study's series once they are stable
    there = {s["MainDicomTags"]["SeriesNumber"]: s for s in orthanc.series(study)}
    kinds = sorted(s["MainDicomTags"]["Modality"] for s in there.values())
    assert kinds == ["DOC", "KO", "OT", "PR", "RTSTRUCT", "SEG", "SR", "SR", "SR"], "no probabilities: bright has none"
    assert len(there) == 9, "each kind has its place among the series"
    kept = [dcmread(path) for path in share.iterdir()]
    assert sorted({ds.Modality for ds in kept}) == ["DOC", "OT"]
    assert sum(ds.Modality == "OT" for ds in kept) == len(images), "every slice is painted"
    known = {i for s in there.values() for i in s["Instances"]}
    uids = {orthanc.get(f"/instances/{i}")["MainDicomTags"]["SOPInstanceUID"] for i in known}
    assert not uids & {str(ds.SOPInstanceUID) for ds in kept}, "other objects are other instances"
