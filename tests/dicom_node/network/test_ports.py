"""A free port is free."""

import socket

from dicom_node.network.ports import free_port


def test_somebody_can_listen_there():
    port = free_port()
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
    assert 1024 <= port <= 65535
