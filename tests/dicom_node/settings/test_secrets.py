"""The places where passwords are named; what is said of them with their lines is in test_settings_connections.py."""

from __future__ import annotations

from pathlib import Path

from dicom_node.settings import NodeSettings
from dicom_node.settings.secrets import secret_mistakes, with_secrets


def node_of(password: dict[str, str]) -> NodeSettings:
    login = {"kind": "basic", "user": "segnode", "password": password}
    return NodeSettings.model_validate(
        {
            "destinations": {
                "share": {"kind": "folder", "path": "out"},
                "open": {"kind": "stow", "url": "https://open.example"},
                "web": {"kind": "stow", "url": "https://pacs.example", "authentication": login},
            }
        }
    )


def test_files_are_below_the_folder_and_looked_at(tmp_path: Path) -> None:
    node = with_secrets(node_of({"file": "password"}), tmp_path)
    place = f"node.yaml: destinations.web.authentication.password = '{tmp_path}/password'"
    assert secret_mistakes(node, None) == [f"{place}: is not there"]
    (tmp_path / "password").write_text("\n")
    assert secret_mistakes(node, None) == [f"{place}: is empty"]
    (tmp_path / "password").write_text("open sesame\n")
    assert secret_mistakes(node, None) == []


def test_those_of_peers_are_too(tmp_path: Path) -> None:
    login = {"kind": "basic", "user": "segnode", "password": {"file": "password"}}
    peer = {"kind": "dicomweb", "url": "https://vna.example", "authentication": login}
    called = {"ae_title": "CT1", "host": "ct1.example", "port": 104}
    node = with_secrets(NodeSettings.model_validate({"peers": {"ct1": called, "vna": peer}}), tmp_path)
    (told,) = secret_mistakes(node, None)
    assert told == f"node.yaml: peers.vna.authentication.password = '{tmp_path}/password': is not there"


def test_a_variable_has_no_folder(tmp_path: Path) -> None:
    node = node_of({"environment": "SEGNODE_TEST"})
    assert with_secrets(node, tmp_path) == node
