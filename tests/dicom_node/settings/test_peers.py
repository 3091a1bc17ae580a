"""Whom a node can ask; what is said of mistakes with their lines is in test_settings_connections.py."""

from __future__ import annotations

from dicom_node.network.peer import Peer
from dicom_node.settings import NodeSettings
from dicom_node.settings.peers import archives_of, unknown_archives

CT1 = {"ae_title": "CT1", "host": "ct1.example", "port": 104}
NODE = {
    "peers": {"ct1": CT1, "ct2": {"kind": "dimse", **CT1}, "vna": {"kind": "dicomweb", "url": "https://vna.example"}},
    "destinations": {
        "vna": {"kind": "dimse", "ae_title": "PACS", "host": "h", "port": 104},
        "pacs": {"kind": "dimse", "ae_title": "PACS", "host": "h", "port": 104},
        "web": {"kind": "stow", "url": "https://web.example"},
        "share": {"kind": "folder", "path": "out"},
    },
    "sources": {"*": {"peer": "share"}, "CT1": {"peer": "web"}},
}


def test_peers_and_destinations_that_are_no_folders_can_be_asked_and_a_peer_comes_first() -> None:
    found = archives_of(NodeSettings.model_validate(NODE))
    assert {name: str(one) for name, one in found.items()} == {
        "ct1": "CT1@ct1.example:104", "ct2": "CT1@ct1.example:104", "pacs": "PACS@h:104",
        "vna": "https://vna.example", "web": "https://web.example",
    }  # fmt: skip
    assert found["ct1"] == Peer(**CT1)


def test_a_source_that_cannot_be_asked_is_told_with_those_that_can() -> None:
    (told,) = unknown_archives(NodeSettings.model_validate(NODE), None)
    assert told == (
        "node.yaml: sources.*.peer = 'share': no such peer, or destination that can be asked; "
        "known: ct1, ct2, pacs, vna, web"
    )
