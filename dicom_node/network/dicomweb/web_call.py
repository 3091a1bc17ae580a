"""One HTTP request and its answer: what went wrong on the way told as for DICOM, and nothing done behind our back.

By http.client: no redirect is followed, no cookie or .netrc of the environment is used, nothing is tried again, and a
body goes from the disk to the wire, or comes from it, piece by piece. Of proxies: web_proxy.py.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import math
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

from dicom_node.errors import BadTlsFiles, PeerError, Rejected, Unfinished, Unreachable
from dicom_node.network.dicomweb.web_proxy import proxy_for
from dicom_node.network.tls.client_context import client_context
from dicom_node.network.tls.settings import ClientTls
from dicom_node.network.tls.tls_keeper import Keeper
from dicom_node.network.tls.tls_words import explain

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
    return text


# Called as it is written: many a server answers for what lacks the slash at its end with a redirect.
WebAddress = Annotated[str, AfterValidator(_web_address)]
# Never called itself: what is called begins with it, and goes on with a slash.
WebRoot = Annotated[WebAddress, AfterValidator(lambda text: text.rstrip("/"))]


@dataclass(frozen=True)
class Answer:
    """What the server said; the body may speak of a patient, so it is shown nowhere."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)

    def json_object(self) -> dict[str, Any]:
        """The JSON object that the body is; empty where it is none."""
        try:
            told = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return told if isinstance(told, dict) else {}


@dataclass(frozen=True)
class Line:
    """How a server is called; by TLS with the system's authorities where `tls` says nothing else."""

    tls: ClientTls | None = None
    connect_s: float = 10.0
    answer_s: float = 120.0  # also the longest that it may stand still while it is told something


class Reply:
    """An answer whose body is still to come; `limit_s` after it was asked for, it must be over."""

    def __init__(self, response: http.client.HTTPResponse, server: str, line: Line, hour: _Hour) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._response = response
        self._server = server
        self._line = line
        self._hour = hour

    def read(self, at_most: int) -> bytes:
        """What comes next, as soon as there is something; nothing at the end. `Unfinished` where it breaks off."""
        try:
            piece = self._response.read1(at_most)
            if not piece and self._response.length:
                raise http.client.IncompleteRead(piece, self._response.length)
        except (OSError, http.client.HTTPException) as error:
            raise _why_not_answered(error, self._server, self._line, self._hour) from error
        return piece

    def whole(self) -> Answer:
        """The answer with all of its body, or the first `LARGEST_ANSWER` bytes of it."""
        body = bytearray()
        while len(body) < LARGEST_ANSWER and (piece := self.read(LARGEST_ANSWER - len(body))):
            body += piece
        return Answer(self.status, self.headers, bytes(body))


def call(
    line: Line,
    method: str,
    address: str,
    headers: Mapping[str, str],
    body: Iterable[bytes] | bytes | None = None,
    limit_s: float = math.inf,
) -> Answer:
    """One request with its whole answer; raises like `calling`."""
    with calling(line, method, address, headers, body, limit_s) as reply:
        return reply.whole()


@contextmanager
def calling(
    line: Line,
    method: str,
    address: str,
    headers: Mapping[str, str],
    body: Iterable[bytes] | bytes | None = None,
    limit_s: float = math.inf,
) -> Iterator[Reply]:
    """One request. `Unreachable` where no connection comes about, `Unfinished` where it ends before the answer, or
    the answer is not whole within `limit_s` seconds; `Rejected` where the server wants another certificate of us.
    """
    parts = urlsplit(address)
    server = f"{parts.scheme}://{parts.netloc}"
    hour = _Hour(line.answer_s, limit_s)
    try:
        connection = _connected(line, parts)
    except BadTlsFiles as wrong:
        raise Unreachable(f"{server} cannot be called by TLS: {wrong}") from wrong
    except OSError as error:
        raise _why_not_connected(error, server) from error
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    # Whatever makes a response will do, not only its class.
    connection.response_class = hour.response  # type: ignore[assignment]
    with contextlib.closing(connection):
        try:
            # Who says no may hang up before he has heard it all: then his answer is there to be read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                connection.request(method, target or "/", body=body, headers={**headers, "Connection": "close"})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise _why_not_answered(error, server, line, hour) from error
        with contextlib.closing(response):
            yield Reply(response, server, line, hour)


class _Hour:
    """When an answer must be over, and how long it may stand still before."""

    def __init__(self, silence_s: float, limit_s: float) -> None:
        self.limit_s = limit_s
        self._silence_s = silence_s
        self._end = time.monotonic() + limit_s

    def left_s(self) -> float:
        """The longest that may now be waited; TimeoutError where nothing is left."""
        if self.struck:
            raise TimeoutError
        return min(self._silence_s, max(self._end - time.monotonic(), 0.001))  # 0 would not block at all

    @property
    def struck(self) -> bool:
        return time.monotonic() >= self._end

    def response(self, sock: socket.socket, *args: Any, **more: Any) -> http.client.HTTPResponse:
        """http.client's own, reading by this hour."""
        made = http.client.HTTPResponse(sock, *args, **more)
        made.fp = io.BufferedReader(_Punctual(made.fp.detach(), sock, self))
        return made


class _Punctual(io.RawIOBase):
    """What comes over a socket until the hour strikes: a server that sends a byte a minute is never silent."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, hour: _Hour) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._hour = hour

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._hour.left_s())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _connected(line: Line, parts: SplitResult) -> http.client.HTTPConnection:
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    secure = parts.scheme == "https"
    context = _context(line.tls) if secure else None
    connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(host, port)
    proxy = proxy_for(parts)
    if proxy is None:
        plain = socket.create_connection((host, port), line.connect_s)
    else:
        plain = proxy.connected(host, port, line.connect_s)
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
    return client_context() if tls is None else _keeper_of(tls).context()


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


def _why_not_answered(error: Exception, server: str, line: Line, hour: _Hour) -> PeerError:
    if hour.struck:
        return Unfinished(f"{server} has not sent everything within {hour.limit_s:.0f} s")
    if isinstance(error, TimeoutError):
        return Unfinished(f"{server} took the connection and was silent for {line.answer_s:g} s")
    if isinstance(error, ssl.SSLError) and explain(error).refused:  # with TLS 1.3 this comes after the handshake
        return Rejected(f"{server}: {explain(error).sentence}")
    if isinstance(error, http.client.IncompleteRead):
        return Unfinished(f"{server} ended the connection in the middle of its answer")
    if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
        return Unfinished(f"{server} answers something that is no HTTP")
    return Unfinished(f"{server} ended the connection before its answer")
