"""A node over several machines: while they die, nothing that was acknowledged is lost and nothing arrives twice.

DCMTK sends through HAProxy to several receivers, two pipelines make the results, by themselves or on a Ray cluster, and
an Orthanc holds them at the end. A receiver, a pipeline and a machine of the cluster are killed by SIGKILL meanwhile,
and PostgreSQL is restarted. The short form is part of `make test`; `make cluster` runs the long one (CLUSTER=long).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster, Executor, Sender, processes, running_cluster, two_ray_machines
from pydicom import dcmread
from reckoning import images_of

from dicom_node.network.peer import Peer

LONG = os.environ.get("CLUSTER") == "long"
PATIENCE_S = 1800 if LONG else 240
SLICES = 20

pytestmark = [pytest.mark.slow, pytest.mark.peer, pytest.mark.timeout(3 * PATIENCE_S)]


@dataclass(frozen=True)
class Form:
    """How much of everything."""

    receivers: int
    pipelines: int
    studies: int
    senders: int


FORM = Form(receivers=3, pipelines=2, studies=60, senders=6) if LONG else Form(2, 2, studies=8, senders=4)

EXECUTORS: dict[str, Executor] = {"processes": processes, "ray": two_ray_machines}


def until(condition: Callable[[], bool], what: str, cluster: Cluster) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not in {PATIENCE_S} s\n{cluster.logs()}"
        time.sleep(0.1)


def images(cluster: Cluster) -> int:
    """How many are here."""
    with cluster.database.reading() as tx:
        return sum(study.images for study in tx.studies.list(limit=1000))


def mishaps(cluster: Cluster, form: Form) -> None:
    """A receiver dies while it receives, a pipeline while it works, and the database is restarted; all come back."""
    whole = form.studies * SLICES
    receiver = cluster.receivers[0]
    until(lambda: images(cluster) > whole // 10, "images come", cluster)
    receiver.kill()
    until(lambda: images(cluster) > whole // 4, "images come by way of the others", cluster)
    working: list[Any] = []

    def one_works() -> bool:
        working[:] = [machine for machine in cluster.pipelines if cluster.works(machine)]
        return bool(working)

    until(one_works, "a job runs", cluster)
    working[0].kill()
    cluster.engine.lose_one()
    cluster.postgres.restart()
    receiver.start()
    working[0].start()


def held_by(orthanc: Any) -> list[str]:
    """SOP instance UIDs of all that the PACS holds."""
    return [one["MainDicomTags"]["SOPInstanceUID"] for one in orthanc.get("/instances?expand")]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_nothing_is_lost_and_nothing_comes_twice(executor: str, orthanc: Any, tmp_path: Path) -> None:
    pacs = Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)
    studies = [images_of(f"cluster-{n}", tmp_path / f"images-{n}", SLICES) for n in range(FORM.studies)]
    sent = {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for study in studies for path in study}
    started = time.monotonic()
    with running_cluster(
        tmp_path, pacs, receivers=FORM.receivers, pipelines=FORM.pipelines, executor=EXECUTORS[executor]
    ) as cluster:
        up = time.monotonic()
        senders = [Sender(cluster.port, studies[n :: FORM.senders]) for n in range(FORM.senders)]
        for sender in senders:
            sender.start()
        mishaps(cluster, FORM)
        until(lambda: not any(sender.is_alive() for sender in senders), "everything is taken", cluster)
        until(lambda: cluster.settled(FORM.studies), "every result is delivered", cluster)
        found, held = cluster.reckoned(SLICES), held_by(orthanc)
        told = {
            "studies": found.studies,
            "images": len(sent),
            "results": len(found.wanted),
            "superseded jobs": found.superseded_jobs,
            "attempts of senders": sum(sender.attempts for sender in senders),
            "lost": found.lost(sent, held),
            "duplicate": found.duplicate(held) + len(held) - len(set(held)),
            "seconds": {"start": round(up - started, 1), "all": round(time.monotonic() - started, 1)},
        }
        print(json.dumps(told))
    assert (told["lost"], told["duplicate"]) == (0, 0)
    assert (told["studies"], len(found.stored)) == (FORM.studies, len(sent))
