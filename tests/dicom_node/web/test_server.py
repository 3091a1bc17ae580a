"""The role `web` on a real socket.

dicom_node.web.server, dicom_node.web.connection
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from own_addresses import EVERY, LOOPBACK

from dicom_node.assembly import Parts, assemble
from dicom_node.errors import NodeError
from dicom_node.network.ports import free_port
from dicom_node.running.heartbeat import Heartbeat
from dicom_node.running.roles import web
from dicom_node.settings import load
from dicom_node.web import connection, shield

PATIENCE_S = 60.0


@pytest.fixture
def port(conf: Path) -> int:
    return free_port()


@contextmanager
def served(parts: Parts, heartbeat: Heartbeat | None = None) -> Iterator[None]:
    """The role runs in a thread."""
    stop = threading.Event()
    role = threading.Thread(target=web, args=(parts, stop, heartbeat or Heartbeat(parts.database, "web")))
    role.start()
    try:
        yield
    finally:
        stop.set()
        role.join(PATIENCE_S)
        assert not role.is_alive()


def ask(url: str, **options: object) -> tuple[int, str]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20, **options) as answer:
                return answer.status, answer.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def configured(conf: Path, line: str) -> Parts:
    with (conf / "node.yaml").open("a") as file:
        file.write(line + "\n")
    return assemble(load(conf), "web")


def test_it_answers_prints_the_way_in_once_nobody_is_there_and_ends_when_told(
    conf: Path, port: int, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    parts = configured(conf, f"web: {{port: {port}}}")
    with served(parts):
        assert ask(f"http://127.0.0.1:{port}/healthz") == (200, '{"status":"well","troubles":[]}')
        deadline = time.monotonic() + PATIENCE_S
        printed = ""
        while "/welcome?link=" not in printed and time.monotonic() < deadline:
            printed += capsys.readouterr().err
            time.sleep(0.05)
        link = printed.partition("http://")[2].split()[0]
        assert link.startswith(f"127.0.0.1:{port}/welcome?link=")
        assert "Choose a name and a password" in ask(f"http://{link}")[1]
    assert link.partition("=")[2] not in caplog.text, "what is logged is kept, and read by others"
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    parts.close()


@pytest.mark.parametrize("host", LOOPBACK)
def test_every_address_of_the_machine_is_also_that_of_ipv4(conf: Path, port: int, host: str) -> None:
    parts = configured(conf, f"web: {{port: {port}, host: '{EVERY}'}}")
    with served(parts):
        ask(f"http://{LOOPBACK[-1]}:{port}/healthz")
        assert ask(f"http://{host}:{port}/healthz")[0] == 200
    parts.close()


def test_a_proxy_that_calls_by_ipv4_is_known_there_too(conf: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("dicom_node.web.access._known", lambda *told, **_: seen.append(told[4]))
    parts = configured(conf, f"web: {{port: {port}, host: '{EVERY}', proxies: [127.0.0.1]}}")
    headers = {"Authorization": "Bearer x", "X-Forwarded-For": "10.1.2.3"}
    with served(parts):
        ask(f"http://{LOOPBACK[-1]}:{port}/healthz")
        for told in (headers, {**headers, "X-Forwarded-For": ""}):
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/status", headers=told)
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(asked, timeout=20)
    assert seen == ["10.1.2.3", "127.0.0.1"]
    parts.close()


def test_by_tls_with_the_files_as_they_are_then(conf: Path, port: int, ours, hospital) -> None:
    parts = configured(conf, f"web: {{port: {port}, tls: {{certificate: {ours.certificate}, key: {ours.key}}}}}")
    heartbeat = Heartbeat(parts.database, "web")
    trust = ssl.create_default_context(cafile=str(hospital.certificate))
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    with served(parts, heartbeat):
        assert ask(f"https://localhost:{port}/healthz", context=trust)[0] == 200
        (state,) = heartbeat._facts["tls"]()
    assert (state["trouble"], state["expires_at"] > 0) == ("", True)
    parts.close()


REQUEST = b"GET /healthz HTTP/1.1\r\nHost: node\r\n"


@pytest.mark.parametrize(("sent", "answered"), [
    (b"", 0), (b"GET /healthz HT", 0), (REQUEST, 0), (REQUEST + b"\r\n" + REQUEST, 1),
    (b"POST /sign-in HTTP/1.1\r\nHost: node\r\nContent-Length: 99999999\r\n\r\nname=", 1),
], ids=["nothing", "half a line", "half the headers", "half a second request", "more after the answer"])  # fmt: skip
def test_who_brings_no_request_is_hung_up_on(
    conf: Path, port: int, sent: bytes, answered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.5)
    parts = configured(conf, f"web: {{port: {port}}}")
    with served(parts):
        ask(f"http://127.0.0.1:{port}/healthz")
        with socket.create_connection(("127.0.0.1", port), timeout=10.0) as silent:
            silent.sendall(sent)
            drip = threading.Thread(target=drop_by_drop, args=(silent,))
            if sent:
                drip.start()
            begun = time.monotonic()
            answers = b"".join(iter(lambda: received(silent), b""))
            assert time.monotonic() - begun < 4.0
            assert answers.count(b"HTTP/1.1 ") == answered
        if sent:
            drip.join(PATIENCE_S)
    parts.close()


def test_who_announces_more_than_ever_comes_is_hung_up_on(
    conf: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shield, "BODY_S", 0.5)
    monkeypatch.setattr(connection, "REQUEST_S", 0.5)
    parts = configured(conf, f"web: {{port: {port}}}")
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname="
    with served(parts):
        ask(f"http://127.0.0.1:{port}/healthz")
        with socket.create_connection(("127.0.0.1", port), timeout=10.0) as silent:
            silent.sendall(b"POST /sign-in HTTP/1.1\r\nHost: node\r\n" + form)
            drip = threading.Thread(target=drop_by_drop, args=(silent,))
            drip.start()
            begun = time.monotonic()
            b"".join(iter(lambda: received(silent), b""))
            assert time.monotonic() - begun < 4.0
        drip.join(PATIENCE_S)
    parts.close()


def drop_by_drop(silent: socket.socket) -> None:
    """A letter now and then is no sign that a request will ever be there."""
    with suppress(OSError):
        for _ in range(40):
            time.sleep(0.2)
            silent.sendall(b"x")


def received(silent: socket.socket) -> bytes:
    try:
        return silent.recv(65536)
    except ConnectionResetError:
        return b""


def test_who_is_still_answered_is_not_hung_up_on(conf: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.5)

    def slow(*_: object) -> list[str]:
        time.sleep(2.0)
        return []

    monkeypatch.setattr("dicom_node.web.health._silent", slow)
    parts = configured(conf, f"web: {{port: {port}}}")
    with served(parts):
        assert ask(f"http://127.0.0.1:{port}/readyz")[0] == 200
    parts.close()


def test_a_taken_port_is_told_in_a_sentence(conf: Path, port: int) -> None:
    parts = configured(conf, f"web: {{port: {port}}}")
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(NodeError, match=rf"cannot listen on 127.0.0.1:{port} for the console: Address already in use"),
    ):
        web(parts, threading.Event(), Heartbeat(parts.database, "web"))
    parts.close()


def test_it_loads_no_torch() -> None:
    code = "import sys, dicom_node.web.server; print([m for m in ('torch', 'monai') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


