"""One request and its answer, by real sockets: what is told, and what is not done behind our back."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from certificates import Authority, Identity
from pydantic import TypeAdapter, ValidationError
from web_archive import WebArchive, web_archive

from dicom_node.errors import PeerError, Rejected, Unfinished, Unreachable
from dicom_node.network.dicomweb.web_call import LARGEST_ANSWER, Answer, Line, WebAddress, WebRoot, call, calling
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from dicom_node.network.tls.settings import ClientTls, ServerTls
from dicom_node.network.tls.tls_dial import Dial


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[WebArchive]:
    with web_archive(tmp_path / "archive") as running:
        yield running


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server of raw sockets that takes one connection; its address."""
    with socket.create_server(("127.0.0.1", 0)) as ear:
        def run() -> None:
            connection, _ = ear.accept()
            with connection:
                behave(connection)

        thread = threading.Thread(target=run)
        thread.start()
        yield f"http://127.0.0.1:{ear.getsockname()[1]}"
        thread.join()


def get(address: str, line: Line = Line(connect_s=5.0, answer_s=5.0)) -> Answer:  # noqa: B008 (frozen)
    return call(line, "GET", address, {})


def trouble(address: str, line: Line = Line(answer_s=0.3)) -> PeerError:  # noqa: B008
    with pytest.raises(PeerError) as caught:
        get(address, line)
    return caught.value


class TestAnswers:
    def test_status_headers_and_body_come_as_they_are(self, archive: WebArchive) -> None:
        archive.next_answers.append((503, {"Retry-After": "7"}, b"Doe^Jane"))
        answer = get(f"{archive.url}/studies?limit=1")
        assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "7", b"Doe^Jane")
        assert "Doe" not in repr(answer)
        (asked,) = archive.asked
        assert (asked.path, asked.headers["host"]) == ("/dicom-web/studies?limit=1", f"127.0.0.1:{archive.port}")

    def test_no_redirect_is_followed(self, archive: WebArchive) -> None:
        archive.next_answers.append((307, {"Location": f"{archive.url}/elsewhere"}, b""))
        assert get(archive.url).status == 307
        assert len(archive.asked) == 1

    def test_in_the_clear_no_proxy_and_no_password_of_the_environment_is_used(
        self, archive: WebArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
        assert get(archive.url).status == 204
        assert "authorization" not in archive.asked[0].headers

    def test_who_says_no_before_he_has_heard_it_all_is_heard(self) -> None:
        def refuse(connection: socket.socket) -> None:
            connection.recv(100)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

        with server(refuse) as address:
            body = (b"x" * 100_000 for _ in range(500))
            answer = call(Line(answer_s=5.0), "POST", address, {"Content-Length": "50000000"}, body)
        assert answer.status == 413


class TestTrouble:
    def test_nobody_there(self) -> None:
        found = trouble(f"http://127.0.0.1:{free_port()}")
        assert type(found) is Unreachable
        assert "cannot be reached: Connection refused" in str(found)

    def test_no_such_host(self) -> None:
        assert type(trouble("http://no-such-host.invalid/dicom-web")) is Unreachable

    def test_silence(self) -> None:
        def listen(connection: socket.socket) -> None:
            while connection.recv(1 << 20):
                pass

        with server(listen) as address:
            found = trouble(address)
        assert type(found) is Unfinished
        assert "was silent for 0.3 s" in str(found)

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            (b"", "ended the connection before its answer"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "in the middle of its answer"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "in the middle of its answer"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha", "in the middle of its answer"),
            (b"SSH-2.0-OpenSSH_9\r\n\r\n", "no HTTP"),
        ],
    )
    def test_half_an_answer_or_none(self, said: bytes, told: str) -> None:
        def behave(connection: socket.socket) -> None:
            connection.recv(1 << 20)
            connection.sendall(said)

        with server(behave) as address:
            found = trouble(address, Line(answer_s=5.0))
        assert type(found) is Unfinished
        assert told in str(found)


class TestPieces:
    @pytest.mark.parametrize("more", [b"", b"Content-Length: 8\r\n"])
    def test_a_body_is_read_as_it_comes(self, more: bytes) -> None:
        read = threading.Event()

        def behave(connection: socket.socket) -> None:
            connection.recv(1 << 20)
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + more + b"\r\nhalf")
            assert read.wait(20), "the first half is there before the second is sent"
            connection.sendall(b"half")

        with server(behave) as address, calling(Line(answer_s=20.0), "GET", address, {}) as reply:
            assert reply.read(1 << 20) == b"half"
            read.set()
            assert reply.whole().body == b"half"
            assert reply.read(1 << 20) == b""

    def test_chunks_as_well(self) -> None:
        def behave(connection: socket.socket) -> None:
            connection.recv(1 << 20)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nha\r\n2\r\nlf\r\n0\r\n\r\n")

        with server(behave) as address:
            assert get(address).body == b"half"

    def test_a_whole_answer_is_bounded(self, archive: WebArchive) -> None:
        archive.next_answers.append((200, {}, (bytes(1 << 20) for _ in range(40))))
        assert len(get(archive.url).body) == LARGEST_ANSWER

    @pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Long: ", b""])
    def test_who_drips_is_left_when_the_time_is_over(self, start: bytes) -> None:
        def drip(connection: socket.socket) -> None:
            connection.recv(1 << 20)
            try:
                connection.sendall(start)
                while True:
                    connection.sendall(b"a")
                    time.sleep(0.02)
            except OSError:
                return

        with server(drip) as address:
            began = time.monotonic()
            with pytest.raises(Unfinished, match="has not sent everything within 1 s"):
                call(Line(answer_s=5.0), "GET", address, {}, limit_s=1.0)
            assert time.monotonic() - began < 5


class TestTls:
    @pytest.fixture
    def secure(self, tmp_path: Path, ours: Identity) -> Iterator[WebArchive]:
        with web_archive(tmp_path / "archive", ours) as running:
            yield running

    def test_a_server_of_our_authority_is_trusted(self, secure: WebArchive, hospital: Authority) -> None:
        assert get(secure.url, Line(ClientTls(authorities=hospital.certificate))).status == 204

    def test_others_are_not(self, secure: WebArchive, strangers: Authority) -> None:
        for line in (Line(ClientTls(authorities=strangers.certificate)), Line()):
            found = trouble(secure.url, line)
            assert type(found) is Unreachable
            assert "its certificate is not trusted" in str(found)
        assert secure.asked == []

    def test_a_call_by_dicom_with_the_same_settings_is_in_nobodys_way(
        self, secure: WebArchive, strangers: Authority
    ) -> None:
        tls = ClientTls(authorities=strangers.certificate)
        Dial(Peer(ae_title="PACS", host="127.0.0.1", port=secure.port, tls=tls))
        assert "its certificate is not trusted" in str(trouble(secure.url, Line(tls)))

    def test_its_name_counts_unless_another_is_said(self, tmp_path: Path, hospital: Authority) -> None:
        elsewhere = hospital.issue("pacs", names="DNS:pacs.hospital.example")
        with web_archive(tmp_path / "elsewhere", elsewhere) as archive:
            tls = ClientTls(authorities=hospital.certificate)
            assert "bears another" in str(trouble(archive.url, Line(tls)))
            named = tls.model_copy(update={"server_name": "pacs.hospital.example"})
            assert get(archive.url, Line(named)).status == 204

    def test_who_does_not_speak_it_is_told(self, archive: WebArchive) -> None:
        found = trouble(archive.url.replace("http:", "https:"))
        assert type(found) is Unreachable
        assert "does not speak TLS" in str(found)

    def test_who_wants_a_certificate_of_us_rejects_us_without(
        self, ours: Identity, hospital: Authority, scanner: Identity
    ) -> None:
        context = ServerTls(certificate=ours.certificate, key=ours.key, authorities=hospital.certificate).context()

        def behave(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secured:
                try:
                    secured.do_handshake()
                except OSError:
                    socket.socket.recv(secured, 1 << 16)  # else a reset may overtake the alert
                    return
                secured.recv(1 << 16)
                secured.sendall(b"HTTP/1.1 204 Nothing\r\n\r\n")

        tls = ClientTls(authorities=hospital.certificate)
        with server(behave) as at:
            found = trouble(at.replace("http:", "https:"), Line(tls, answer_s=5.0))
        assert isinstance(found, Rejected)
        assert "wants a certificate of us" in str(found)
        tls = ClientTls(authorities=hospital.certificate, certificate=scanner.certificate, key=scanner.key)
        with server(behave) as at:
            assert get(at.replace("http:", "https:"), Line(tls)).status == 204

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_who_says_no_before_he_has_heard_it_all_is_heard_by_tls_too(
        self, ours: Identity, hospital: Authority, version: ssl.TLSVersion
    ) -> None:
        """To the one who writes, OpenSSL calls that an end against the protocol, and no broken pipe."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(ours.certificate, ours.key)
        context.maximum_version = version

        def refuse(connection: socket.socket) -> None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the answer may wait, and be lost
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(100)
                secured.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

        line = Line(ClientTls(authorities=hospital.certificate), answer_s=5.0)
        with server(refuse) as at:
            body = (b"x" * 100_000 for _ in range(500))
            answer = call(line, "POST", at.replace("http:", "https:"), {"Content-Length": "50000000"}, body)
        assert answer.status == 413

    def test_files_that_make_no_tls_are_told(self, secure: WebArchive, tmp_path: Path) -> None:
        found = trouble(secure.url, Line(ClientTls(authorities=tmp_path / "gone.pem")))
        assert "cannot be called by TLS: authorities" in str(found)


@pytest.mark.parametrize(
    "wrong",
    ["pacs.example", "ftp://pacs.example", "https://", "https://u:open-sesame@pacs.example", "https://pacs.example/?a=b",
     "https://pacs.example/#x", "https://pacs.example:99999", f"https://{64 * 'x'}.example",
     "https://pacs.example/a b", "https://päcs.example"],
)  # fmt: skip
def test_what_is_no_address_of_a_service(wrong: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(WebAddress).validate_python(wrong)


def test_a_slash_at_the_end_counts_in_what_is_called_and_not_in_what_more_is_added_to() -> None:
    assert TypeAdapter(WebAddress).validate_python("https://h:8443/hooks/") == "https://h:8443/hooks/"
    assert TypeAdapter(WebRoot).validate_python("https://h:8443/dicom-web/") == "https://h:8443/dicom-web"
