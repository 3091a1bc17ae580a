"""A DICOMweb server in the settings; mistakes in them are in test_settings_connections.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dicom_node.network.dicomweb.web_call import Line
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.dicomweb.web_server import NamedWebServer, WebServer
from dicom_node.network.tls.settings import ClientTls

URL = "https://vna.example/dicom-web"


def named(**keys: Any) -> NamedWebServer:
    return NamedWebServer(kind="dicomweb", url=URL, **keys)


def test_it_is_called_as_the_settings_say() -> None:
    tls = ClientTls(authorities=Path("ca.pem"))
    server = WebServer(url=f"{URL}/", tls=tls, connect_s=3, answer_s=4)
    assert server.peer == WebPeer(URL, None, Line(tls, 3, 4))


def test_its_images_come_from_its_title_or_from_its_name() -> None:
    assert named().known_as("vna").ae_title == "vna"
    assert named(ae_title="VNA").known_as("vna").ae_title == "VNA"
    assert len(named().known_as("the-archive-of-the-whole-hospital").ae_title) == 16, "as long as an AE title is"


def test_tls_is_of_no_use_without_https() -> None:
    with pytest.raises(ValidationError, match="tls is of no use with http"):
        WebServer.model_validate({"url": "http://vna.example", "tls": {"authorities": "ca.pem"}})
