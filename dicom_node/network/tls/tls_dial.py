"""Calling a peer by TLS through pynetdicom, which keeps to itself why a handshake failed."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from dicom_node.errors import BadTlsFiles, Rejected, Unreachable
from dicom_node.network.peer import Peer
from dicom_node.network.tls.tls_keeper import keeper_of
from dicom_node.network.tls.tls_words import Reason, explain


class _Told(ssl.SSLSocket):
    """Remembers what failed; with TLS 1.3 a server's no to our certificate comes only after the handshake."""

    shaken = False
    troubles: tuple[OSError, ...] = ()

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError as error:
            self.troubles = (*self.troubles, error)
            # As an SSLError, pynetdicom would write a traceback into the log.
            raise ConnectionAbortedError("the TLS handshake failed") from error
        self.shaken = True

    def read(self, length: int = 1024, buffer: Any = None) -> Any:
        try:
            return super().read(length, buffer)
        except OSError as error:
            self.troubles = (*self.troubles, error)
            raise


class Dial:
    """One call: given to pynetdicom in the place of an SSLContext, of which it wants `wrap_socket` alone."""

    def __init__(self, peer: Peer) -> None:
        assert peer.tls is not None
        self._peer = peer
        try:
            self._context = keeper_of(peer.tls).context()
        except BadTlsFiles as wrong:
            raise Unreachable(f"{peer} cannot be called by TLS: {wrong}") from wrong
        self._context.sslsocket_class = _Told
        self._socket: _Told | None = None

    @property
    def arguments(self) -> tuple[Any, str]:
        """pynetdicom's `tls_args`."""
        assert self._peer.tls is not None
        return self, self._peer.tls.server_name or self._peer.host

    def wrap_socket(self, sock: socket.socket, server_side: bool, server_hostname: str) -> ssl.SSLSocket:
        """The socket that will connect and shake hands."""
        secured = self._context.wrap_socket(sock, server_side=server_side, server_hostname=server_hostname)
        assert isinstance(secured, _Told)
        self._socket = secured
        return secured

    def explain(self) -> None:
        """Raise why no association came about, where TLS is the reason and the peer has answered nothing.

        `Rejected` where it said no in an alert, `Unreachable` for all else. An alert is lost where the peer resets
        the connection right behind it; what is left then is a connection that ended after its handshake.
        """
        if self._socket is None:
            return
        reasons = [explain(trouble) for trouble in self._socket.troubles]
        reason = next((one for one in reasons if one.refused), reasons[0] if reasons else None)
        if self._socket.shaken and (reason is None or not reason.refused):
            reason = Reason("it ended the connection after the TLS handshake; does it accept our certificate?")
        if reason is not None:
            raise (Rejected if reason.refused else Unreachable)(f"{self._peer}: {reason.sentence}")
