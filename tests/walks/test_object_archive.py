"""A node whose files are in an object storage: a study goes its way, and what was acknowledged outlives everything."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bright_conf import MODELS, routes
from object_server import KEYS, ObjectServer, Road
from pydicom import dcmread
from tireless_scanner import Scanner

from dicom_node.acts.download import check_there, entries_of, zipped
from dicom_node.assembly import look_into
from dicom_node.settings import load
from dicom_node.web.pictures import Pictures
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series
from storage.files.object_store import Bucket

pytestmark = [pytest.mark.peer, pytest.mark.timeout(400)]

SLICES = 12
GRID = Grid((SLICES, 32, 32), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 1.5, 1.5)))


@pytest.fixture
def bucket(object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("SEGNODE_TEST_KEY", KEYS[0])
    monkeypatch.setenv("SEGNODE_TEST_SECRET", KEYS[1])
    return object_server.bucket()


def archive_in(bucket: Bucket, road: Road) -> str:
    return (
        f"archive:\n  url: s3://{bucket.name}/{bucket.prefix}\n  endpoint: {road.url}\n  region: us-east-1\n"
        "  access_key: {environment: SEGNODE_TEST_KEY}\n  secret_key: {environment: SEGNODE_TEST_SECRET}\n"
        "  connect_s: 2\n  answer_s: 5\n"
    )


def scan(name: str, folder: Path) -> tuple[str, list[Path]]:
    """A small CT with a bright body."""
    array = np.full(GRID.shape, -50.0, np.float32)
    array[2:5, 10:22, 8:20] = 300.0
    study = StudyDetails.of(name)
    return study.study_instance_uid, write_series(Volume(array, GRID, "HU"), Acquisition.ct(study), folder)


def keys_in(server: ObjectServer, bucket: Bucket) -> set[str]:
    found = server.client.list_objects_v2(Bucket=bucket.name).get("Contents", ())
    return {one["Key"].removeprefix(f"{bucket.prefix}/") for one in found if one["Key"].endswith(".dcm")}


def test_a_study_is_received_inferred_and_delivered_and_all_that_reads_files_reads_these(
    make_node: Any, dcmtk: Any, object_server: ObjectServer, bucket: Bucket, road: Road, tmp_path: Path
) -> None:
    node = make_node(
        routes=routes("seg", "sr"), models=MODELS,
        node=archive_in(bucket, road) + "retention: [{state: sent, after_days: 0.000001}]\n",
        beside="    commitment: off\n",
    )  # fmt: skip
    uid, images = scan("objects", tmp_path / "images")
    sent = dcmtk.run("storescu", "-aec", "SEGNODE", "127.0.0.1", node.peer.port, *images)
    assert sent.returncode == 0, sent.stdout
    view = node.until_delivered(uid)
    assert [delivery["state"] for delivery in view["deliveries"]] == ["SENT"]
    assert len(keys_in(object_server, bucket)) == SLICES + len(view["results"])
    assert not list((node.folder / "data").glob("archive/**/*.dcm"))
    fetched = [path for verb, path in road.asked if verb == "GET" and path.endswith(".dcm")]
    assert fetched == [], "what was stored from here is read from the cache"

    node.stop()
    shutil.rmtree(node.folder / "data" / "archive-cache")  # as on another machine
    parts = look_into(load(node.conf))
    try:
        (seg,) = (one for one in view["results"] if one["kind"] == "seg")
        shown = Pictures().slices(parts, uid, seg["sop_instance_uid"])
        assert len(shown["slices"]) == 3
        with parts.database.reading() as tx:
            entries = entries_of(tx, uid)
        check_there(parts.archive, entries)
        assert len(b"".join(zipped(parts.archive, entries))) > sum(entry.file.size for entry in entries)
    finally:
        parts.close()
    assert node.command("verify")["faults"] == []

    saved = node.command("backup", str(tmp_path / "saved"), "--with-files")
    assert (saved["files_copied"], saved["files_missing"]) == (len(keys_in(object_server, bucket)), 0)
    other = object_server.bucket()
    before = keys_in(object_server, bucket)
    text = (node.conf / "node.yaml").read_text().replace(bucket.name, other.name)
    (node.conf / "node.yaml").write_text(text.replace(str(node.folder / "data"), str(tmp_path / "again")))
    assert node.exit_code("restore", saved["backup"]) == 0
    assert keys_in(object_server, other) == before
    assert node.command("verify")["faults"] == []
    lost = sorted(before)[0]
    object_server.client.delete_object(Bucket=other.name, Key=f"{other.prefix}/{lost}")
    assert [fault["fault"] for fault in node.command("verify", ok=(1,))["faults"]] == ["missing"]

    assert [one["study"] for one in node.command("retention", "--apply")["studies"]] == [uid]
    assert keys_in(object_server, other) == set()
    log = (node.folder / "node.log").read_text()
    assert KEYS[1] not in log
    assert "Traceback" not in log


def test_nothing_that_was_acknowledged_is_lost_when_receivers_die_and_the_storage_stumbles(
    make_node: Any, object_server: ObjectServer, bucket: Bucket, road: Road, tmp_path: Path
) -> None:
    dice = random.Random(7)
    node = make_node(routes="routes: []\n", node=archive_in(bucket, road))
    scans = [scan(f"under-fire-{n}", tmp_path / f"images-{n}")[1] for n in range(3)]
    every = {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for paths in scans for path in paths}
    scanners = [Scanner(node.peer, list(paths)) for paths in scans]
    for scanner in scanners:
        scanner.start()
    for trouble, verb in (("mute", "PUT"), ("busy", "HEAD")):
        road.meet(trouble, verb, 5)
        time.sleep(dice.uniform(0.3, 1.0))
        node.kill()
        acknowledged = set().union(*(scanner.acknowledged for scanner in scanners))
        assert acknowledged <= indexed(node), "the row of each was there"
        node.start()
    for scanner in scanners:
        scanner.join(120)
        assert not scanner.waiting
    road.times = 0
    assert every == indexed(node)
    assert node.command("verify")["faults"] == []
    assert len(keys_in(object_server, bucket)) >= len(every)


def indexed(node: Any) -> set[str]:
    with node.database.reading() as tx:
        studies = tx.removals.every_study()
        return {one.sop_instance_uid for uid in studies for one in tx.studies.instances(study_uid=uid)}
