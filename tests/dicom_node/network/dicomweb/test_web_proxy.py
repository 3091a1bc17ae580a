"""The site's forward proxy, as HTTPS_PROXY and NO_PROXY of the environment name it; by real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from certificates import Authority
from web_archive import WebArchive, web_archive

from dicom_node.errors import Unreachable
from dicom_node.network.dicomweb.web_call import Line, call
from dicom_node.network.dicomweb.web_proxy import Proxy, proxy_for
from dicom_node.network.ports import free_port
from dicom_node.network.tls.settings import ClientTls

LOGIN = "https://login.example/signing-in"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def proxy(answer: bytes, to: int = 0) -> Iterator[tuple[str, bytearray]]:
    """A proxy that takes one connection, and where it says yes connects it to this port of ours; what it could read."""
    heard = bytearray()

    def passed_on(source: socket.socket, sink: socket.socket, seen: Callable[[bytes], None]) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                seen(piece)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as ear:
        def run() -> None:
            client, _ = ear.accept()
            with client:
                while not heard.endswith(b"\r\n\r\n"):
                    heard.extend(client.recv(1))
                client.sendall(answer)
                if not to:
                    return
                with socket.create_connection(("127.0.0.1", to)) as server:
                    back = threading.Thread(target=passed_on, args=(server, client, heard.extend))
                    back.start()
                    passed_on(client, server, heard.extend)
                    back.join()

        thread = threading.Thread(target=run)
        thread.start()
        yield f"127.0.0.1:{ear.getsockname()[1]}", heard
        thread.join(20)


@pytest.fixture
def login(tmp_path: Path, hospital: Authority) -> Iterator[WebArchive]:
    """A server that calls itself login.example, which no name server knows."""
    with web_archive(tmp_path / "login", hospital.issue("login", names="DNS:login.example")) as running:
        yield running


def told(address: str, line: Line = Line(connect_s=5.0, answer_s=5.0)) -> str:  # noqa: B008 (frozen)
    with pytest.raises(Unreachable) as caught:
        call(line, "POST", address, {"Authorization": "Basic open-sesame"}, b"open-sesame")
    return str(caught.value)


@pytest.mark.parametrize("scheme", ["", "http://"], ids=["host and port", "an address"])
def test_an_address_by_https_is_called_through_it_and_it_can_read_nothing_of_that(
    login: WebArchive, hospital: Authority, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    line = Line(ClientTls(authorities=hospital.certificate), answer_s=5.0)
    login.next_answers.append((204, {}, b""))
    with proxy(b"HTTP/1.1 200 Connection established\r\nX-By: squid\r\n\r\n", login.port) as (place, heard):
        monkeypatch.setenv("HTTPS_PROXY", scheme + place)
        answer = call(line, "POST", LOGIN, {"Authorization": "Basic open-sesame"}, b"open-sesame")
    assert answer.status == 204
    assert login.asked[0].headers["authorization"] == "Basic open-sesame"
    assert heard.startswith(b"CONNECT login.example:443 HTTP/1.1\r\nHost: login.example:443\r\n\r\n\x16\x03")
    assert b"sesame" not in heard


def test_who_pretends_to_be_the_server_is_not_believed(
    login: WebArchive, strangers: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(b"HTTP/1.1 200 OK\r\n\r\n", login.port) as (place, _):
        monkeypatch.setenv("HTTPS_PROXY", place)
        said = told(LOGIN, Line(ClientTls(authorities=strangers.certificate), answer_s=5.0))
    assert "https://login.example: its certificate is not trusted" in said
    assert login.asked == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants credentials, which it is not given"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "does not connect us (HTTP 403)"),
        (b"HTTP/1.1 503 Not now\r\n\r\n", "does not connect us (HTTP 503)"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "answers something that is no HTTP"),
        (b"", "ended the connection before its answer"),
    ],
)
def test_a_proxy_that_does_not_connect_us_is_named(
    answer: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(answer) as (place, _):
        monkeypatch.setenv("https_proxy", place)
        said = told(LOGIN)
    assert said.startswith(f"https://login.example: the proxy {place} of HTTPS_PROXY ")
    assert words in said


def test_so_is_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("HTTPS_PROXY", place)
    assert f"the proxy {place} of HTTPS_PROXY cannot be reached: Connection refused" in told(LOGIN)


@pytest.mark.parametrize(
    "wrong", ["http://segnode:open-sesame@proxy:3128", "https://proxy:3128", "socks5://proxy", "http://", "proxy:port"]
)
def test_what_cannot_be_used_is_told_without_its_password(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials for a proxy would travel to it in the clear."""
    monkeypatch.setenv("HTTPS_PROXY", wrong)
    said = told(LOGIN)
    assert "https://login.example: HTTPS_PROXY is not of the form http://HOST:PORT" in said
    assert "sesame" not in said


def found(address: str) -> Proxy | None:
    return proxy_for(urlsplit(address))


def test_without_the_variable_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(LOGIN) is None
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    assert found(LOGIN) == Proxy("proxy", 3128)
    monkeypatch.setenv("https_proxy", "")  # the usual way to say that this program shall use none
    assert found(LOGIN) is None


def test_nothing_goes_through_it_in_the_clear_and_nothing_that_stays_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "proxy:3128")
    for here in ("http://pacs.example/dicom-web", "https://localhost:8443", "https://127.0.0.2", "https://[::1]:8443"):
        assert found(here) is None


@pytest.mark.parametrize(
    ("spared", "direct"),
    [
        ("pacs.hospital.example", True),
        ("other.example, PACS.hospital.example", True),
        ("hospital.example", True),
        (".hospital.example", True),
        ("*.hospital.example", True),
        ("pacs.hospital.example:8443", True),
        ("*", True),
        ("pacs.hospital.example:443", False),
        ("pital.example", False),
        ("10.0.0.0/8,,.", False),
    ],
)
def test_who_is_called_without_it_by_name(spared: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", spared)
    assert (found("https://pacs.hospital.example:8443/dicom-web") is None) is direct


@pytest.mark.parametrize(
    ("spared", "direct"), [("10.1.2.3", True), ("10.0.0.0/8", True), ("10.1.0.5/16", True), ("10.2.0.0/16", False)]
)
def test_who_is_called_without_it_by_address(spared: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", spared)
    assert (found("https://10.1.2.3/dicom-web") is None) is direct
