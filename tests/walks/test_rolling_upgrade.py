"""The next release, with a migration, takes the place of this one machine by machine, while scanners send.

Two receivers behind HAProxy and two pipelines, on PostgreSQL. One after the other is told to end, drains and is started
as the next release (tests/support/next_release); the first of them migrates the database under the others. One of this
release is killed meanwhile and started again as it was: it finds a newer schema, which only added, and goes on.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster import AGAIN_S, Cluster, Sender, processes, running_cluster
from pydicom import dcmread
from reckoning import images_of
from running_node import RunningNode

from dicom_node.network.peer import Peer

NEXT = Path(__file__).parents[1] / "support" / "next_release"
PATIENCE_S = 240
SLICES, SENDERS, STUDIES = 20, 2, 40  # the most that each sender has
PAUSE_S = 2.0

pytestmark = [pytest.mark.slow, pytest.mark.peer, pytest.mark.timeout(3 * PATIENCE_S)]


def as_next_release(machine: RunningNode) -> float:
    """Have it end by itself and start it anew; how long its draining took, in s."""
    started = time.monotonic()
    assert machine.drain() == 0
    drained = time.monotonic() - started
    assert "is killed" not in (machine.folder / "node.log").read_text(), "it ended in its time"
    machine.start(PYTHONPATH=os.pathsep.join([str(NEXT), os.environ.get("PYTHONPATH", "")]))
    return drained


def schema(cluster: Cluster) -> str:
    """The revision that the database is at."""
    with cluster.database.reading() as tx:
        return tx.figures.schema()


def until(condition: Callable[[], bool], what: str, cluster: Cluster) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not in {PATIENCE_S} s\n{cluster.logs()}"
        time.sleep(0.1)


def test_machines_are_upgraded_one_by_one_and_nothing_is_lost(orthanc: Any, tmp_path: Path) -> None:
    pacs = Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)
    studies = [
        [images_of(f"rolling-{s}-{n}", tmp_path / f"images-{s}-{n}", SLICES) for n in range(STUDIES)]
        for s in range(SENDERS)
    ]
    with running_cluster(
        tmp_path, pacs, receivers=2, pipelines=2, executor=processes
    ) as cluster:
        before = schema(cluster)
        senders = [Sender(cluster.port, theirs, pause_s=PAUSE_S) for theirs in studies]
        for sender in senders:
            sender.start()
        (first, second), (worker, other) = cluster.receivers, cluster.pipelines
        drained = [as_next_release(worker)]
        assert before < schema(cluster) == "9000"
        second.kill()
        second.start()  # as the release that it was
        drained += [as_next_release(machine) for machine in (first, other, second)]
        sent_before = [len(sender.taken) for sender in senders]
        until(lambda: all(len(s.taken) > n for s, n in zip(senders, sent_before, strict=True)), "they send on", cluster)
        for sender in senders:
            sender.enough.set()
        until(lambda: not any(sender.is_alive() for sender in senders), "everything is taken", cluster)
        taken = [path for sender in senders for path in sender.taken]
        until(lambda: cluster.settled(len(taken) // SLICES), "every result is delivered", cluster)
        sent = {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in taken}
        found = cluster.reckoned(SLICES)
        held = [one["MainDicomTags"]["SOPInstanceUID"] for one in orthanc.get("/instances?expand")]
        told = {
            "studies": found.studies,
            "images": len(sent),
            "lost": found.lost(sent, held),
            "duplicate": found.duplicate(held) + len(held) - len(set(held)),
            "attempts": sum(sender.attempts for sender in senders),
            "most attempts of a study": max(sender.most for sender in senders),
            "drained in s": [round(one, 1) for one in drained],
        }
        print(json.dumps(told))
        assert all(cluster.alive()), "every machine is well at the end"
    assert (told["lost"], told["duplicate"]) == (0, 0)
    assert told["most attempts of a study"] <= 10, f"a retry after {AGAIN_S} s places what was refused"
