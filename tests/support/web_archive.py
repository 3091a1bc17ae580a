"""A small DICOMweb archive with its token server, which answers as it is told; real sockets, in this process."""

from __future__ import annotations

import contextlib
import json
import ssl
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from certificates import Identity
from pydicom import dcmread
from serving import serving
from web_shelf import Shelf

Body = bytes | Iterable[bytes]  # pieces go without a length, unless the headers name one


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass
class WebArchive:
    """Keeps each object under its UID, and gives those of its shelf, which are the same unless another one is put up.

    `next_answers` (status, headers, body) are given instead of what it would say.

    With `client` (id, secret) it wants a token of its own /token for every request; `user` (name, password) else.
    """

    folder: Path
    scheme: str = "http"
    port: int = 0
    client: tuple[str, str] | None = None
    user: tuple[str, str] | None = None
    life_s: object = 3600
    next_answers: list[tuple[int, dict[str, str], Body]] = field(default_factory=list)
    next_tokens: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    warnings: dict[str, Any] = field(default_factory=dict)  # Warning Reason by UID
    failures: dict[str, Any] = field(default_factory=dict)  # Failure Reason by UID
    largest: int = 1 << 30
    asked: list[Asked] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    issued: int = 0
    shelf: Shelf | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/dicom-web"

    @property
    def token_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/token"

    def kept(self) -> list[Path]:
        return sorted(self.folder.glob("*.dcm"))

    def stores(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "POST" and one.path == "/dicom-web/studies"]

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], Body]:
        self.asked.append(asked)
        if asked.path == "/token":
            return self._token(asked)
        if self.next_answers:
            return self.next_answers.pop(0)
        if not self._lets_in(asked.headers.get("authorization", "")):
            return 401, {}, b""
        if len(asked.body) > self.largest:
            return 413, {}, b""
        if asked.method == "GET":
            return (self.shelf or Shelf(self.folder)).answer(asked.path)
        return self._store(asked)

    def _token(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        if self.next_tokens:
            status, told = self.next_tokens.pop(0)
            return status, {}, json.dumps(told).encode()
        name, _, secret = b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode().partition(":")
        if (unquote_plus(name), unquote_plus(secret)) != self.client:
            return 401, {}, b'{"error": "invalid_client", "error_description": "Doe^Jane"}'
        assert parse_qs(asked.body.decode())["grant_type"] == ["client_credentials"]
        self.issued += 1
        self.good = {f"token-{self.issued}"}
        told = {"access_token": f"token-{self.issued}", "token_type": "bearer", "expires_in": self.life_s}
        return 200, {}, json.dumps(told).encode()

    def _lets_in(self, shown: str) -> bool:
        if self.client:
            return shown.removeprefix("Bearer ") in self.good
        return self.user is None or b64decode(shown.removeprefix("Basic ")).decode() == ":".join(self.user)

    def _store(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        stored, failed = [], []
        for part in parts_of(asked):
            uid = str(dcmread(BytesIO(part), stop_before_pixels=True).SOPInstanceUID)
            item: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid]}}
            if uid in self.failures:
                failed.append(item | {"00081197": {"vr": "US", "Value": [self.failures[uid]]}})
                continue
            (self.folder / f"{uid}.dcm").write_bytes(part)
            reason = self.warnings.get(uid)
            stored.append(item | ({"00081196": {"vr": "US", "Value": [reason]}} if reason is not None else {}))
        told = {"00081199": {"vr": "SQ", "Value": stored}, "00081198": {"vr": "SQ", "Value": failed}}
        status = 409 if failed and not stored else 202 if failed or self.warnings else 200
        return status, {"Content-Type": "application/dicom+json"}, json.dumps(told).encode()


def parts_of(asked: Asked) -> list[bytes]:
    """The files of a Store request."""
    kind, *parameters = [text.strip() for text in asked.headers["content-type"].split(";")]
    assert kind == "multipart/related"
    assert 'type="application/dicom"' in parameters
    boundary = next(text for text in parameters if text.startswith("boundary=")).removeprefix("boundary=")
    first, *parts, last = asked.body.split(f"--{boundary}".encode())
    assert (first, last) == (b"", b"--\r\n")
    head = b"\r\nContent-Type: application/dicom\r\n\r\n"
    assert all(part.startswith(head) and part.endswith(b"\r\n") for part in parts)
    return [part[len(head) : -2] for part in parts]


@contextmanager
def web_archive(folder: Path, identity: Identity | None = None, **settings: Any) -> Iterator[WebArchive]:
    """One on loopback; by TLS with `identity`."""
    folder.mkdir(parents=True)
    archive = WebArchive(folder, scheme="https" if identity else "http", **settings)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, headers, body = archive.answer(Asked(self.command, self.path, headers, body))
            self.send_response(status)
            length = {"Content-Length": str(len(body))} if isinstance(body, bytes) else {}
            for name, value in {**length, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # who is asked for no more hangs up
                for piece in [body] if isinstance(body, bytes) else body:
                    self.wfile.write(piece)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if identity:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(identity.certificate, identity.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    archive.port = server.server_address[1]
    with serving(server):
        yield archive
