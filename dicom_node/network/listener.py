"""A port of ours.

A balancer's header and a TLS handshake are read in the connection's own thread, so a slow one keeps nobody waiting.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dicom_node.network.acceptor.proxy_protocol import SIGNATURE, begins_header
from dicom_node.network.acceptor.upper_layer import Entity, Limits, WaitingServer
from dicom_node.network.balancers import Balancers
from dicom_node.network.tls.tls_keeper import Keeper
from dicom_node.network.tls.tls_words import explain

log = logging.getLogger(__name__)

HANDSHAKES = 400  # under way at once, each a thread that waits; one more is hung up on
FAREWELL_S = 1.0


@dataclass(frozen=True)
class Secured:
    """TLS on a port: whose context, how long a handshake may take, and who hears what became of the failed ones.

    `told` hears of each in words; `refused` hears address and reason where one end has refused the other, which
    is not so where the caller went away, fell silent or found no room.
    """

    keeper: Keeper
    handshake_s: float
    told: Callable[[str], None]
    refused: Callable[[str, str], None]


class Listener(WaitingServer):
    """Accepts connections; with `secured` by TLS alone, and those of `balancers` as the sender's whom they name."""

    def __init__(
        self, *arguments: Any, secured: Secured | None = None, balancers: Balancers | None = None, **more: Any
    ) -> None:
        self._secured = secured
        self._balancers = balancers or Balancers()
        self._handshakes = threading.BoundedSemaphore(HANDSHAKES)
        super().__init__(*arguments, **more)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection, under TLS as the files are now; its handshake is still to come."""
        connection, address = super().get_request()
        if self._secured is not None:
            context = self._secured.keeper.context()
            connection = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Ask a balancer who calls, shake hands where that is asked, then go on as pynetdicom does.

        Runs in a thread of this connection.
        """
        caller = self._balancers.caller(request, client_address)
        if caller is None:
            _hang_up(request)
        elif self._secured is None or self._shake_hands(self._secured, request, caller[0]):
            super().process_request_thread(request, caller)

    def shutdown(self) -> None:
        """Refuse connections from this moment on, and end the thread that accepted them."""
        self.server_close()
        super().shutdown()

    def tell_of_header(self, address: str) -> None:
        """Tell that a connection began with a balancer's header where none was wanted."""
        self._balancers.told(self._balancers.stranger(address))

    def _shake_hands(self, secured: Secured, connection: ssl.SSLSocket, address: str) -> bool:
        """True under TLS; the connection is closed otherwise."""
        if not self._handshakes.acquire(blocking=False):
            secured.told(f"a connection from {address} was closed: too many TLS handshakes are under way")
            connection.close()
            return False
        try:
            connection.settimeout(secured.handshake_s)  # for the whole of it
            if begins_header(socket.socket.recv(connection, len(SIGNATURE), socket.MSG_PEEK)):
                self.tell_of_header(address)
                _hang_up(connection)
                return False
            connection.do_handshake()
            connection.settimeout(None)
        except (OSError, ValueError) as error:  # ValueError: closed by another thread
            reason = explain(error)
            secured.told(f"a TLS connection from {address} was refused: {reason.sentence}")
            if not reason.left:
                secured.refused(address, reason.sentence)
            _hang_up(connection)
            return False
        finally:
            self._handshakes.release()
        return True


def listen(
    entity: Entity,
    address: tuple[str, int],
    handlers: list[tuple[Any, Any]],
    limits: Limits,
    secured: Secured | None = None,
    balancers: Balancers | None = None,
) -> Listener:
    """Listen at `address` in a thread of its own until `shutdown`; OSError where the port is taken."""
    server: Listener = entity.make_server(
        address, evt_handlers=handlers, server_class=Listener, limits=limits, secured=secured, balancers=balancers
    )
    entity._servers.append(server)  # as its own start_server does, which takes no class
    threading.Thread(target=server.serve_forever, name=f"listener-{server.port}", daemon=True).start()
    return server


def _hang_up(connection: socket.socket) -> None:
    """Close without a reset, which would take our alert from the other end before it has read it."""
    deadline = time.monotonic() + FAREWELL_S
    with contextlib.suppress(OSError):
        connection.settimeout(FAREWELL_S)
        socket.socket.shutdown(connection, socket.SHUT_WR)
        while time.monotonic() < deadline and socket.socket.recv(connection, 4096):
            pass
    connection.close()
