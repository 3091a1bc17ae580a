"""Calling a peer by TLS through pynetdicom, which keeps to itself why a handshake failed."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from dicom_node.errors import Refused, Unreachable
from dicom_node.network.peer import Peer
from dicom_node.network.tls import BadTlsFiles
from dicom_node.network.tls_keeper import keeper_of
from dicom_node.network.tls_words import Reason, explain


class _Told(ssl.SSLSocket):
    """Remembers why it failed first; with TLS 1.3 a server's no to our certificate comes only after the handshake."""

    trouble: OSError | None = None
    shaken = False

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError as error:
            self.trouble = error
            # As an SSLError, pynetdicom would write a traceback into the log.
            raise ConnectionAbortedError("the TLS handshake failed") from error
        self.shaken = True

    def read(self, length: int = 1024, buffer: Any = None) -> Any:
        try:
            return super().read(length, buffer)
        except OSError as error:
            self.trouble = self.trouble or error
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
        """Raise why TLS failed, if it did: `Refused` where the peer said no, `Unreachable` for all else."""
        if self._socket is None or self._socket.trouble is None:
            return
        reason = explain(self._socket.trouble)
        if self._socket.shaken and not isinstance(self._socket.trouble, ssl.SSLError):
            # Its alert is lost where it resets the connection right behind it.
            reason = Reason("it ended the connection after the TLS handshake; does it accept our certificate?")
        sentence = f"{self._peer}: {reason.sentence}"
        raise (Refused if reason.refused else Unreachable)(sentence) from self._socket.trouble
