"""An application entity that we may call."""

import pytest
from pydantic import ValidationError

from dicom_node.network.peer import Peer


def test_a_peer_prints_as_one_would_say_it():
    assert str(Peer(ae_title="PACS", host="10.0.0.5", port=104)) == "PACS@10.0.0.5:104"


@pytest.mark.parametrize("title", ["PACS", "A", "Room 1/CT", "X" * 16, "a_b-c.d"])
def test_titles_that_the_standard_allows(title):
    assert Peer(ae_title=title, host="h", port=104).ae_title == title


@pytest.mark.parametrize("title", ["", " ", " PACS", "PACS ", "A\\B", "X" * 17, "PÄCS", "A\nB"])
def test_titles_that_it_does_not(title):
    with pytest.raises(ValidationError):
        Peer(ae_title=title, host="h", port=104)


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_ports_that_there_are_not(port):
    with pytest.raises(ValidationError):
        Peer(ae_title="PACS", host="h", port=port)


@pytest.mark.parametrize("host", ["pacs.hospital.example", "pacs.example.", "10.0.0.5", "fe80::1", "röntgen.example"])
def test_hosts_that_there_may_be(host):
    assert Peer(ae_title="PACS", host=host, port=104).host == host


@pytest.mark.parametrize("host", ["", "pacs..hospital.example", ".example", "x" * 64 + ".example"])
def test_hosts_that_no_connection_could_name(host):
    with pytest.raises(ValidationError):
        Peer(ae_title="PACS", host=host, port=104)
