"""Balancers before our ports: their connections are the sender's, whom a header names; nobody else may name another."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dicom_node.errors import BadProxyHeader
from dicom_node.network.acceptor.proxy_protocol import read_sender
from dicom_node.network.addresses import unmapped
from dicom_node.network.admission import covers

log = logging.getLogger(__name__)

HEADER_S = 5.0  # a balancer writes its header at once


class _Gone(Exception):
    """The connection ended before it said anything, as a health check by TCP does."""


@dataclass(frozen=True)
class Balancers:
    """Those that the settings name by address or network, none where it is empty; `told` hears of refusals in words."""

    addresses: Sequence[str] = ()
    told: Callable[[str], None] = field(default=log.warning)

    def has(self, address: str) -> bool:
        """Whether one of them has this address."""
        return bool(self.addresses) and covers(self.addresses, address)

    def caller(self, connection: socket.socket, address: Any) -> Any:
        """The address of who calls, of the kind that a socket gives; None where the connection is to be closed.

        Reads the header of a balancer's connection, also where what follows is TLS. It may wait for HEADER_S.
        """
        if not self.has(address[0]):
            return address
        try:
            sender = read_sender(_reader(connection))
        except _Gone:
            return None
        except (BadProxyHeader, TimeoutError) as wrong:
            why = "it says nothing" if isinstance(wrong, TimeoutError) else str(wrong)
            self.told(f"a connection of balancer {address[0]} was closed: {why} (it is to use send-proxy-v2)")
            return None
        except (OSError, ValueError) as trouble:  # reset, or closed by another thread
            log.debug("a balancer's connection ended: %s", type(trouble).__name__)
            return None
        return address if sender is None else (unmapped(sender.address), sender.port)

    def stranger(self, address: str) -> str:
        """What is told of a header from somewhere else."""
        header = "it begins with a PROXY header, and is of no balancer that node.yaml names (balancers)"
        return f"a connection from {address} was closed: {header}"


def _reader(connection: socket.socket) -> Callable[[int], bytes]:
    """Reads exactly, and past TLS: what comes before it is not encrypted."""
    deadline = time.monotonic() + HEADER_S
    begun = False

    def read(size: int) -> bytes:
        nonlocal begun
        got = b""
        while len(got) < size:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            piece = socket.socket.recv(connection, size - len(got))
            if not piece:
                raise BadProxyHeader("it ended within its header") if begun else _Gone
            got, begun = got + piece, True
        connection.settimeout(None)
        return got

    return read
