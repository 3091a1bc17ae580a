"""Syslog to an audit collector: RFC 5424 messages over TLS (RFC 5425), TCP (RFC 6587) or UDP (RFC 5426).

Syslog knows no acknowledgement. Over TLS and TCP a batch counts as delivered when the collector closes its side
in order after we have closed ours: it has then read to the end (RFC 5425 4.4 demands this answer). Anything
else means that the batch is sent again: each message arrives in order and at least once.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from dicom_node.audit.settings import SyslogSettings
from dicom_node.errors import Unfinished, Unreachable
from dicom_node.network.tls.client_context import client_context

TIMEOUT_S = 5.0
BOM = b"\xef\xbb\xbf"  # RFC 5424 6.4: the message is UTF-8
MSGID = "DICOM+RFC3881"  # PS3.15 A.6
NOTICE, WARNING = 85, 84  # PRI: facility 10 (security), severity 5 or 4 (PS3.15 A.6)
SUCCESS = b'EventOutcomeIndicator="0"'


def syslog_message(xml: bytes, at: float, host: str, pid: str) -> bytes:
    """An audit message in the words of RFC 5424; `at` is when it was written, `pid` who wrote it."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    priority = NOTICE if SUCCESS in xml else WARNING
    head = f"<{priority}>1 {moment} {_name(host)} segnode {_name(pid)} {MSGID} - "
    return head.encode("ascii") + BOM + xml


class Syslog:
    """One collector. `send` returns when it has taken every message; Unreachable otherwise.

    Unfinished, which is one, where it is there and has not read all of them in time: fewer may pass.
    """

    def __init__(self, settings: SyslogSettings) -> None:
        self._settings = settings

    def __str__(self) -> str:
        return f"{self._settings.protocol}://{self._settings.host}:{self._settings.port}"

    def send(self, messages: Sequence[bytes]) -> None:
        try:
            if self._settings.protocol == "udp":
                self._send_datagrams(messages)
            else:
                self._send_stream(messages)
        except ssl.SSLCertVerificationError as wrong:
            raise Unreachable(f"audit collector {self} has no good certificate: {wrong.verify_message}") from wrong
        except OSError as error:
            raise Unreachable(f"audit collector {self}: {error.strerror or error}") from error

    def _send_stream(self, messages: Sequence[bytes]) -> None:
        plain = socket.create_connection((self._settings.host, self._settings.port), timeout=TIMEOUT_S)
        with closing(plain):
            stream = self._secured(plain) if self._settings.protocol == "tls" else plain
            with closing(stream):
                try:
                    for message in messages:
                        stream.sendall(b"%d %s" % (len(message), message))
                    _close_in_order(stream)
                except TimeoutError:
                    late = f"audit collector {self} did not close its side in {TIMEOUT_S:.0f} s"
                    raise Unfinished(late) from None

    def _secured(self, plain: socket.socket) -> ssl.SSLSocket:
        return collector_context(self._settings).wrap_socket(plain, server_hostname=self._settings.host)

    def _send_datagrams(self, messages: Sequence[bytes]) -> None:
        where = (self._settings.host, self._settings.port)
        family, kind, protocol, _, address = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as sender:
            sender.settimeout(TIMEOUT_S)
            for message in messages:
                sender.sendto(message, address)


def collector_context(settings: SyslogSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer; the collector's certificate must be of `ca_file` (or of the system's authorities)."""
    for file in (settings.ca_file, settings.cert_file, settings.key_file):
        if file is not None and not file.is_file():
            raise Unreachable(f"the audit trail's TLS needs {file}, which is not there")
    context = client_context(settings.ca_file)
    if settings.cert_file is not None:
        context.load_cert_chain(settings.cert_file, _text(settings.key_file))
    return context


def _close_in_order(stream: socket.socket) -> None:
    """Say that no more comes, and wait until the other has read so far."""
    if isinstance(stream, ssl.SSLSocket):
        stream = _without_tls(stream)
    with suppress(OSError):  # the other may have closed already
        stream.shutdown(socket.SHUT_WR)
    while stream.recv(4096):
        pass


def _without_tls(stream: ssl.SSLSocket) -> socket.socket:
    """Exchange close_notify. One who closes TCP without it has read ours all the same."""
    try:
        return stream.unwrap()
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return stream


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _name(text: str) -> str:
    """A field of RFC 5424's header: printable ASCII without spaces, `-` for none."""
    return "".join(c for c in text if "!" <= c <= "~")[:255] or "-"
