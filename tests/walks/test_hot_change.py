"""Peers and routes change while four scanners send: no association is dropped, no image lost, and the change counts."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ball_scan import IMAGES, scan
from bright_conf import MODELS, routes
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from running_node import RunningNode

from dicom_node.network.client import open_association
from dicom_node.network.proposals import storage

pytestmark = pytest.mark.timeout(600)

SCANNERS = 4
CHANGES = 3
NOTHING_FITS = "{kind: all, of: [{kind: volume}, {kind: modality, any_of: [PT]}]}"


def send_slowly(node: RunningNode, title: str, files: list[Path], changed: threading.Event) -> list[int]:
    """One association for all files, half of them after the change; the status of each."""
    statuses = []
    with open_association(node.peer, title, storage([(CTImageStorage, ExplicitVRLittleEndian)])) as association:
        assert association is not None
        for number, file in enumerate(files):
            if number == len(files) // 2:
                assert changed.wait(300)
            statuses.append(int(association.send_c_store(dcmread(file)).get("Status", -1)))
        assert association.is_established, "it stayed open throughout"
    return statuses


def revisions(node: RunningNode) -> set[int]:
    """Under which revision each role works."""
    with node.database.reading() as tx:
        return {row.detail.get("revision", 0) for row in tx.processes.list(time.time())}


def change(node: RunningNode, number: int) -> None:
    """One more peer, and other routes; wait until every role works under them."""
    with node.database.reading() as tx:
        before = tx.revisions.newest()[0]
    file = node.conf / "node.yaml"
    known = file.read_text().partition("peers:\n")[0]
    peers = "".join(f"  ws{n}: {{ae_title: WS{n}, host: 127.0.0.1, port: {11200 + n}}}\n" for n in range(number + 1))
    file.write_text(f"{known}peers:\n{peers}")
    when = NOTHING_FITS if number % 2 == 0 else "{kind: volume}"
    (node.conf / "routes.yaml").write_text(routes("seg", when=when))
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with node.database.reading() as tx:
            newest = tx.revisions.newest()[0]
        if newest > before and revisions(node) == {newest}:
            return
        time.sleep(0.1)
    raise AssertionError(f"not in use: {node.command('status', ok=(0, 1))}")


def test_nothing_is_dropped_and_nothing_lost(make_node: Any, tmp_path: Path) -> None:
    node = make_node(routes=routes("seg"), models=MODELS)
    scans = [scan(f"hot-{number}", tmp_path / "scans") for number in range(SCANNERS)]
    changed = threading.Event()
    with ThreadPoolExecutor(SCANNERS) as pool:
        sent = [pool.submit(send_slowly, node, f"CT{n}", files, changed) for n, (_, files) in enumerate(scans)]
        for number in range(CHANGES):
            change(node, number)
        changed.set()
        assert [one.result() for one in sent] == [[0] * IMAGES] * SCANNERS
    for uid, _ in scans:
        view = node.until_over(uid)
        assert view["state"] == "NOT_ROUTED", "by the rules of the last change"
        assert sum(series["images"] for series in view["series"]) == IMAGES
