"""Only workers load torch, and nobody Ray or psycopg; a worker that dies in mid-job costs nothing but time."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import psutil
import pytest
from drawn_study import MakeDrawnStudy

from dicom_node.network.ports import free_port

pytestmark = pytest.mark.timeout(600)


def workers(node: Any) -> dict[str, int]:
    """Process by device, as soon as the pipeline's heartbeat tells."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        told = [role.get("workers") for role in node.command("status")["roles"] if role["role"] == "pipeline"]
        if told and told[0] and all(told[0].values()):
            return told[0]
        time.sleep(0.2)
    raise AssertionError("the pipeline tells of no workers")


def with_torch(node: Any) -> set[int]:
    """The node's processes, supervisor and helpers included, that have torch's library mapped."""
    supervisor = psutil.Process(node.process.pid)
    family = [supervisor, *supervisor.children(recursive=True)]
    return {p.pid for p in family if any("libtorch" in region.path for region in p.memory_maps())}


def test_a_killed_worker_still_ends_in_a_delivered_result(make_node: Any, drawn_study: MakeDrawnStudy) -> None:
    uid, paths = drawn_study("liver_tumour", 9000)
    node = make_node(web=free_port())
    (victim,) = workers(node).values()  # now, since a small job may be over before it is told
    node.send(paths)

    running = node.until(uid, lambda view: any(job["state"] == "RUNNING" and job["step"] for job in view["jobs"]))
    assert running["jobs"][0]["attempts"] == 1
    os.kill(victim, signal.SIGKILL)

    view = node.until_delivered(uid)
    assert [(job["state"], job["attempts"]) for job in view["jobs"]] == [("DONE", 2)]
    assert [d["state"] for d in view["deliveries"]] == ["SENT"]
    assert node.journal(uid, "worker died") == ["the worker on cpu ended under the job (signal 9)"]
    assert len(node.archive.kept()) == node.archive.received == len(view["results"]), "delivered once"

    time.sleep(2.5)  # one more heartbeat after the job
    roles = {role["role"]: role for role in node.command("status")["roles"]}
    assert set(roles) == {"receive", "pipeline", "clock", "web"}
    heavy = {"torch", "ray", "psycopg"}  # what the embedded default has no use for, or only in its workers
    assert [(name, heavy & set(role["modules"])) for name, role in roles.items() if heavy & set(role["modules"])] == []
    (worker,) = workers(node).values()
    assert worker != victim
    assert with_torch(node) == {worker}
