"""One HTTP request and its answer: what went wrong on the way told as for DICOM, and nothing done behind our back.

By http.client: no redirect is followed, no proxy, cookie or .netrc of the environment is used, nothing is tried again,
and a body goes from the disk to the wire piece by piece.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

from dicom_node.errors import BadTlsFiles, PeerError, Rejected, Unfinished, Unreachable
from dicom_node.network.tls import ClientTls
from dicom_node.network.tls_keeper import Keeper
from dicom_node.network.tls_words import explain

LARGEST_ANSWER = 16 << 20  # what is longer is cut; no answer that we understand is
PORTS = {"http": 80, "https": 443}


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in PORTS or not parts.hostname or not text.isascii() or any(c.isspace() for c in text):
        raise ValueError("an address begins with https:// (or http://) and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address holds no user and no password: authentication says them")
    if parts.query or parts.fragment:
        raise ValueError("an address ends before ? and #")
    parts.port, parts.hostname.encode("idna")  # both raise ValueError where they are none
    return text.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]


@dataclass(frozen=True)
class Answer:
    """What the server said; the body may speak of a patient, so it is shown nowhere."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Line:
    """How a server is called; by TLS with the system's authorities where `tls` says nothing else."""

    tls: ClientTls | None = None
    connect_s: float = 10.0
    answer_s: float = 120.0  # also the longest that it may stand still while it is told something


def call(
    line: Line, method: str, address: str, headers: Mapping[str, str], body: Iterable[bytes] | bytes | None = None
) -> Answer:
    """One request. `Unreachable` where no connection comes about, `Unfinished` where it ends before the answer,
    `Rejected` where the server wants another certificate of us.
    """
    parts = urlsplit(address)
    server = f"{parts.scheme}://{parts.netloc}"
    try:
        connection = _connected(line, parts)
    except BadTlsFiles as wrong:
        raise Unreachable(f"{server} cannot be called by TLS: {wrong}") from wrong
    except OSError as error:
        raise _why_not_connected(error, server) from error
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    with contextlib.closing(connection):
        try:
            # Who says no may hang up before he has heard it all: then his answer is there to be read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, target or "/", body=body, headers={**headers, "Connection": "close"})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            told = answer.read(LARGEST_ANSWER)
            if answer.length and len(told) < LARGEST_ANSWER:
                raise http.client.IncompleteRead(told, answer.length)
            return Answer(answer.status, names, told)
        except (OSError, http.client.HTTPException) as error:
            raise _why_not_answered(error, server, line) from error


def _connected(line: Line, parts: SplitResult) -> http.client.HTTPConnection:
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    secure = parts.scheme == "https"
    context = _context(line.tls) if secure else None
    connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(host, port)
    plain = socket.create_connection((host, port), line.connect_s)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        name = (line.tls.server_name if line.tls else None) or host
        connection.sock = context.wrap_socket(plain, server_hostname=name) if context else plain
    except OSError:
        plain.close()
        raise
    connection.sock.settimeout(line.answer_s)
    return connection


def _context(tls: ClientTls | None) -> ssl.SSLContext:
    if tls is not None:
        return _keeper_of(tls).context()
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@cache
def _keeper_of(tls: ClientTls) -> Keeper:
    """Not tls_keeper's, even for equal settings: calls by pynetdicom put sockets of their own into that context."""
    return Keeper(tls)


def _why_not_connected(error: OSError, server: str) -> PeerError:
    if isinstance(error, ssl.SSLError):
        reason = explain(error)
        return (Rejected if reason.refused else Unreachable)(f"{server}: {reason.sentence}")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{server} does not answer")
    return Unreachable(f"{server} cannot be reached: {error.strerror or 'no such host'}")


def _why_not_answered(error: Exception, server: str, line: Line) -> PeerError:
    if isinstance(error, TimeoutError):
        return Unfinished(f"{server} took the connection and was silent for {line.answer_s:g} s")
    if isinstance(error, ssl.SSLError) and explain(error).refused:  # with TLS 1.3 this comes after the handshake
        return Rejected(f"{server}: {explain(error).sentence}")
    if isinstance(error, http.client.IncompleteRead):
        return Unfinished(f"{server} ended the connection in the middle of its answer")
    if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
        return Unfinished(f"{server} answers something that is no HTTP")
    return Unfinished(f"{server} ended the connection before its answer")
