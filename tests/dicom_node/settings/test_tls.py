"""The places where TLS is set; what is wrong with them is told in test_settings_connections.py."""

from __future__ import annotations

from pathlib import Path

from dicom_node.settings import NodeSettings
from dicom_node.settings.tls import every_tls, with_tls


def test_every_place_is_found_and_made_absolute(tmp_path: Path) -> None:
    files = {"certificate": "n.crt", "authorities": "ca.pem", "key_password": {"file": "secret"}}
    login = {"kind": "oauth2", "token_url": "https://l", "client_id": "a", "client_secret": {"file": "s"}, "tls": {}}
    partner = {"ae_title": "A", "host": "h", "port": 104}
    node = NodeSettings.model_validate(
        {
            "tls": files,
            "peers": {"plain": partner, "ct1": partner | {"tls": {}}},
            "destinations": {
                "pacs": partner | {"kind": "dimse", "tls": {"certificate": "~/p.crt"}},
                "share": {"kind": "folder", "path": "out"},
                "web": {"kind": "stow", "url": "https://h", "tls": {"certificate": "w.crt"}, "authentication": login},
            },
        }
    )
    found = dict(every_tls(with_tls(node, tmp_path)))
    assert set(found) == {
        ("tls",), ("peers", "ct1", "tls"), ("destinations", "pacs", "tls"), ("destinations", "web", "tls"),
        ("destinations", "web", "authentication", "tls"),
    }  # fmt: skip
    assert found[("destinations", "web", "tls")].certificate == tmp_path / "w.crt"
    assert found[("destinations", "web", "authentication", "tls")].files == found[("tls",)].files
    assert found[("tls",)].files == (tmp_path / "n.crt", tmp_path / "secret", tmp_path / "ca.pem")
    assert found[("peers", "ct1", "tls")].files == found[("tls",)].files
    pacs = found[("destinations", "pacs", "tls")]
    assert (pacs.certificate, pacs.key_password) == (Path.home() / "p.crt", None), "another's password is not ours"
