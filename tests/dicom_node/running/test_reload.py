"""A running role takes up what may change, keeps what it has where the files are wrong, and says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.assembly import Parts
from dicom_node.running import reload
from dicom_node.running.heartbeat import Heartbeat
from dicom_node.running.reload import Watch, follow, needs_restart
from dicom_node.settings import NodeSettings, load
from dicom_node.views.node import status_view

PEER = "peers:\n  ct1: {ae_title: CT1, host: ct1.example, port: 104}\n"


@pytest.fixture
def node(parts: Parts, conf: Path) -> Iterator[Path]:
    """The file that people change."""
    return conf / "node.yaml"


def add(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


def test_a_new_peer_is_known_at_once_under_a_new_revision(parts: Parts, node: Path) -> None:
    watch = Watch(parts)
    assert watch.look() is None
    add(node, PEER)
    new = watch.look()
    assert new is watch.parts
    assert [str(peer) for peer in new.settings.peers().values()] == ["CT1@ct1.example:104"]
    assert (new.revision, new.database, watch.trouble) == (parts.revision + 1, parts.database, "")
    assert watch.look() is None, "it is told once"


def test_what_was_changed_while_a_role_started_is_taken_up_as_well(parts: Parts, node: Path) -> None:
    add(node, PEER)  # after its settings were read
    watch = Watch(parts)
    assert watch.look() is watch.parts
    assert "ct1" in watch.parts.settings.peers()
    assert watch.look() is None


def test_mistakes_leave_everything_as_it_is_and_are_told_until_they_are_mended(parts: Parts, node: Path) -> None:
    watch, good = Watch(parts), node.read_text()
    add(node, "peers:\n  ct1: {ae_title: CT1, host: ct1.example, port: 70000}\n")
    assert watch.look() is None
    assert watch.parts is parts
    assert "node.yaml:10: peers.ct1.port = 70000: input should be less than or equal to 65535" in watch.trouble
    node.write_text(good)
    assert watch.look() is None
    assert watch.trouble == ""


def test_what_needs_a_restart_waits_as_a_whole(parts: Parts, node: Path) -> None:
    watch = Watch(parts)
    add(node, PEER + "quiet_s: 7\n")
    assert watch.look() is None
    assert watch.parts is parts
    assert watch.trouble == "node.yaml: quiet_s: changed, and used after a restart of `segnode serve`"


def test_every_key_either_may_change_or_needs_a_restart(parts: Parts) -> None:
    assert set(reload.LIVE) < set(NodeSettings.model_fields)
    old = parts.settings
    node = old.node.model_copy(update={"peers": {"x": 1}, "admission": (1,), "port": 104})
    new = old.model_copy(update={"node": node, "routing": None, "models": {}})
    assert needs_restart(old, new) == ["node.yaml: port", "models.yaml"]


def test_shipped_settings_have_no_file_to_look_at(parts: Parts) -> None:
    from dataclasses import replace

    assert Watch(replace(parts, settings=load(None))).look() is None


def test_a_role_hands_on_what_is_new_and_its_heartbeat_tells_it(
    parts: Parts, node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "LOOK_EVERY_S", 0.01)
    heartbeat, stop, adopted = Heartbeat(parts.database, "clock"), threading.Event(), []

    def adopt(new: Parts) -> None:
        adopted.append(new.revision)
        stop.set()

    add(node, PEER)
    watch = Watch(parts)
    add(node, "sources:\n  '*': {peer: ct1}\n")
    follow(watch, stop, heartbeat, adopt)
    assert adopted == [heartbeat._facts["revision"]()] == [parts.revision + 1]


def test_the_status_says_once_what_is_not_in_use(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        for pid, role in ((1, "web"), (2, "clock")):
            tx.processes.beat(role, pid, "here", 1.0, 2.0, (), {"configuration": {"trouble": "node.yaml: port: …"}})
    with parts.database.reading() as tx:
        assert status_view(tx, 2.0, 10)["needs_a_person"].count("node.yaml: port: …") == 1


def test_a_shadow_is_taken_up_and_another_way_of_running_is_not(parts: Parts, conf: Path) -> None:
    watch, file = Watch(parts), conf / "models.yaml"
    add(file, "  dim: {task: liver_tumour, kind: threshold, lower: 50, upper: 90}\n")
    assert watch.look() is None
    assert "models.yaml: changed, and used after a restart" in watch.trouble
    old = load(conf)
    file.write_text(file.read_text().replace("bright: {", "bright: {shadow: dim, "))
    assert needs_restart(old, load(conf)) == []
