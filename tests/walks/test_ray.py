"""A node whose models run on a Ray cluster: the same trip, and no role but the pipeline knows of Ray."""

from __future__ import annotations

import time
from typing import Any

import pytest
from bright_conf import MODELS, routes
from drawn_study import MakeDrawnStudy
from ray_machines import machines

pytestmark = pytest.mark.timeout(600)

TELL_WITHIN_S = 60.0


def told_of_workers(node: Any) -> dict[str, Any]:
    """The roles by name, once the pipeline has told of both its workers: a study may be over before its heart beats."""
    deadline = time.monotonic() + TELL_WITHIN_S
    while True:
        roles = {role["role"]: role for role in node.command("status")["roles"]}
        if len(roles["pipeline"]["workers"]) == 2 or time.monotonic() > deadline:
            return roles


def test_a_study_goes_through_a_cluster(make_node: Any, drawn_study: MakeDrawnStudy) -> None:
    uid, paths = drawn_study("liver_tumour", 9000)
    with machines("only") as cluster:
        asked = cluster.settings(workers=1)
        ours = f"executor: ray\nray: {asked.model_dump_json()}"
        node = make_node(node=ours, models=MODELS, routes=routes("seg", "sr"))
        node.send(paths)
        view = node.until_delivered(uid)
        assert [(job["state"], job["attempts"], job["device"]) for job in view["jobs"]] == [("DONE", 1, "cpu")]
        assert [delivery["state"] for delivery in view["deliveries"]] == ["SENT"]
        roles = told_of_workers(node)
        assert {name for name, role in roles.items() if "ray" in role["modules"]} == {"pipeline"}
        assert not any("torch" in role["modules"] for role in roles.values())
        assert {name.split()[0] for name in roles["pipeline"]["workers"]} == {"cpu", "reader"}
        node.stop()
    assert "Traceback" not in (node.folder / "node.log").read_text()
