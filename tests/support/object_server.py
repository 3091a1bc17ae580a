"""An S3-compatible object storage on loopback: moto's server in a process, and a road to it that can be troubled."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from certificates import Identity

from storage.files.file_cache import FileCache
from storage.files.object_archive import ObjectArchive
from storage.files.object_store import Bucket, ObjectStore

KEYS = ("test-key", "test-secret")
START_LIMIT_S = 60.0
LATE_S = 1.5
_numbers = itertools.count()


@dataclass
class ObjectServer:
    """The server, which keeps all in memory."""

    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": ""})
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/moto-api/", timeout=5):
                return
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, "moto's server does not answer"
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def bucket(self, url: str = "", **said: Any) -> Bucket:
        """A new bucket, asked at `url` or by the straight road."""
        bucket = Bucket(f"bucket-{next(_numbers)}", "site/archive", url or self.url, "us-east-1", KEYS, **said)
        self.client.create_bucket(Bucket=bucket.name)
        return bucket

    @property
    def client(self) -> Any:
        """The library's own client, for what the store has no word for."""
        return ObjectStore(Bucket("any", "", self.url, "us-east-1", KEYS))._client()


@dataclass
class Road:
    """Forwards requests to a server. Those that `troubles` wants meet a trouble first, `times` of them in all."""

    server: ObjectServer
    trouble: str = ""
    troubles: Callable[[str, str], bool] = lambda *_: False
    times: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def meet(self, trouble: str, method: str, times: int = 1, path: str = "") -> None:
        """Have the next `times` requests of this method meet a trouble.

        forbidden: 403; busy: 503; late: `LATE_S` without a word; deaf: cut off before it is heard; mute: done, and cut
        off before the answer; short: the answer's body breaks off; garbled: a byte of the body that is sent, or else of
        the answer's, is another.
        """
        self.trouble, self.times = trouble, times
        self.troubles = lambda verb, where: verb == method and path in where

    def taken(self, method: str, path: str) -> str:
        self.asked.append((method, path))
        if self.times and self.troubles(method, path):
            self.times -= 1
            return self.trouble
        return ""


def _handler(road: Road) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Be silent."""

        def answer(self) -> None:
            trouble = road.taken(self.command, self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if trouble == "deaf":
                return self._cut()
            if trouble == "forbidden":
                return self._say(403, {}, b"<Error><Code>AccessDenied</Code></Error>")
            if trouble == "busy":
                return self._say(503, {}, b"<Error><Code>SlowDown</Code></Error>")
            if trouble == "late":
                time.sleep(LATE_S)
            if trouble == "garbled" and body:
                body = bytes([body[0] ^ 1]) + body[1:]
            there = http.client.HTTPConnection("127.0.0.1", road.server.port, timeout=30)
            try:
                there.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k != "Expect"})
                reply = there.getresponse()
                content, headers = reply.read(), dict(reply.getheaders())
            except OSError:
                return self._cut()
            finally:
                there.close()
            if trouble == "mute":
                return self._cut()
            if trouble == "garbled" and content and not body:
                content = bytes([content[0] ^ 1]) + content[1:]
            self._say(reply.status, headers, content, half=trouble == "short")
            return None

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer

        def _say(self, status: int, headers: dict[str, str], content: bytes, *, half: bool = False) -> None:
            self.send_response(status)
            length = headers.get("Content-Length", str(len(content))) if self.command == "HEAD" else str(len(content))
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if half else content)
            if half:
                self._cut()

        def _cut(self) -> None:
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(2)

    return Handler


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who asked has not waited."""


@pytest.fixture(scope="session")
def object_server(free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """One server for all; who ends it takes one of his own."""
    server = ObjectServer(free_port(), tmp_path_factory.mktemp("objects") / "moto.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def road(object_server: ObjectServer) -> Iterator[Road]:
    """A road to that server, without trouble for now."""
    with road_to(object_server) as one:
        yield one


@contextlib.contextmanager
def road_to(server: ObjectServer, identity: Identity | None = None) -> Iterator[Road]:
    """A road to a server, by TLS with this certificate where there is one."""
    one = Road(server)
    with _Listener(("127.0.0.1", 0), _handler(one)) as listener:
        if identity:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity.certificate, identity.key)
            listener.socket = context.wrap_socket(listener.socket, server_side=True)
        one.url = f"http{'s' if identity else ''}://127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield one
        listener.shutdown()
        thread.join()


def object_archive(
    bucket: Bucket, folder: Path, *, low_water_bytes: int = 0, cache_bytes: int = 1 << 30
) -> ObjectArchive:
    """An archive in that bucket, with its cache in `folder`."""
    return ObjectArchive(ObjectStore(bucket), FileCache(folder, cache_bytes), low_water_bytes=low_water_bytes)
