"""Through a balancer the node sees the sender; from anybody else it believes no header."""

from __future__ import annotations

import socket
import ssl
import time

import pytest
from haproxy import BALANCER, running_haproxy
from proxy_headers import BLOCK, LINE, block
from wire import associate_rq

from dicom_node.network import balancers
from dicom_node.network.admission import Admittance, Role
from dicom_node.network.balancers import Balancers
from dicom_node.network.client import echo
from dicom_node.network.tls.settings import ServerTls

BY_IPV6 = b"PROXY TCP6 ::ffff:10.1.2.3 ::ffff:10.1.9.3 4242 11112\r\n"
LOOPBACK = ("127.0.0.0/8",)
ACCEPTED, REJECTED, ABORTED = b"\x02", b"\x03", b"\x07"
FROM_CT = (Admittance(addresses=("10.1.2.0/24",), may=(Role.STORE,)),)


def said(ear, *pieces: bytes, port: int | None = None) -> bytes:
    """What the node answers first, b"" where it hangs up."""
    with socket.create_connection(("127.0.0.1", port or ear.server.port), 10) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.02)
        try:
            return connection.recv(1)
        except ConnectionResetError:
            return b""


def told(ear, event: str = "refused") -> list[str]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if found := [text for what, text in ear.journal() if what == event]:
            return found
        time.sleep(0.02)
    return []


@pytest.mark.parametrize("header", [LINE, BLOCK, BY_IPV6], ids=["version 1", "version 2", "one that listens on ::"])
def test_admission_and_the_associations_row_see_the_sender(listen, header):
    ear = listen(balancers=LOOPBACK, admission=FROM_CT)
    with socket.create_connection(("127.0.0.1", ear.server.port), 10) as connection:
        connection.sendall(header + associate_rq())
        assert connection.recv(1) == ACCEPTED
        (association,) = ear.server.open_associations
        assert (association.requestor.address, association.requestor.port) == ("10.1.2.3", 4242)


def test_who_may_not_come_in_by_himself_may_not_through_a_balancer(listen):
    ear = listen(balancers=LOOPBACK, admission=(Admittance(addresses=("10.7.0.0/16",), may=(Role.STORE,)),))
    assert said(ear, BLOCK + associate_rq()) == REJECTED
    assert "'SCANNER' from 10.1.2.3 was rejected (1, 1, 1)" in told(ear)[0]


def test_a_header_that_comes_in_pieces_is_waited_for(listen):
    ear = listen(balancers=LOOPBACK, admission=FROM_CT)
    assert said(ear, BLOCK[:7], BLOCK[7:20], BLOCK[20:] + associate_rq()) == ACCEPTED


def test_a_balancers_own_look_is_its_own(listen):
    """A health check by C-ECHO (LOCAL) has the balancer's address; one by TCP says nothing and is no refusal."""
    ear = listen(balancers=LOOPBACK)
    assert said(ear, block(0x20, 0, b"") + associate_rq()) == ACCEPTED
    socket.create_connection(("127.0.0.1", ear.server.port), 10).close()
    time.sleep(0.2)
    assert [text for event, text in ear.journal() if event == "refused"] == []


@pytest.mark.parametrize("start", [associate_rq(), b"PROXY TCP4 nonsense\r\n", LINE[:9]])
def test_a_balancer_that_does_not_say_who_calls_is_hung_up_on_and_told(listen, start, monkeypatch):
    monkeypatch.setattr(balancers, "HEADER_S", 0.3)
    ear = listen(balancers=LOOPBACK)
    assert said(ear, start) == b""
    (sentence,) = told(ear)
    assert sentence.startswith("a connection of balancer 127.0.0.1 was closed: ")


def test_a_balancer_that_falls_silent_keeps_nobody_waiting(listen, monkeypatch):
    monkeypatch.setattr(balancers, "HEADER_S", 0.2)
    ear = listen(balancers=LOOPBACK)
    with socket.create_connection(("127.0.0.1", ear.server.port), 10):
        assert said(ear, BLOCK + associate_rq()) == ACCEPTED
        assert "it says nothing" in told(ear)[0]


@pytest.mark.parametrize("named", [(), ("10.9.9.9",)], ids=["no balancer", "another one"])
def test_a_header_from_anybody_else_is_refused_in_words(listen, named):
    ear = listen(balancers=named)
    assert said(ear, LINE + associate_rq()) == ABORTED
    (sentence,) = told(ear)
    assert sentence == (
        "a connection from 127.0.0.1 was closed: it begins with a PROXY header, and is of no balancer that node.yaml "
        "names (balancers)"
    )
    echo(ear.peer)


@pytest.mark.peer
def test_through_haproxy_the_sender_is_seen_and_its_own_looks_are_no_associations(listen, tmp_path):
    may = (Admittance(addresses=("127.0.0.3",), may=(Role.STORE,)),)
    ear = listen(balancers=(BALANCER,), admission=may)
    with running_haproxy(tmp_path, [ear.server.port]) as port:
        with socket.create_connection(("127.0.0.1", port), 10, source_address=("127.0.0.3", 0)) as connection:
            connection.sendall(associate_rq())
            assert connection.recv(1) == ACCEPTED
            seen = [association.requestor.address for association in ear.server.open_associations]
            assert "127.0.0.3" in seen, "beside it a look may be under way"
        assert said(ear, associate_rq(), port=port) == REJECTED, "an address that has no row in admission"
        time.sleep(0.5)
    assert [text for event, text in ear.journal() if "balancer" in text] == []


@pytest.fixture
def secure(listen, ours, hospital):
    """Starts an ear that speaks TLS only, behind balancers."""

    def start(**more):
        tls = ServerTls(certificate=ours.certificate, key=ours.key, authorities=hospital.certificate, handshake_s=5.0)
        return listen(port=None, tls=tls.model_copy(update={"port": 0}), **more)

    return start


def test_the_header_comes_before_tls(secure, scanner, hospital):
    ear = secure(balancers=LOOPBACK, admission=FROM_CT)
    context = ssl.create_default_context(cafile=str(hospital.certificate))
    context.check_hostname = False
    context.load_cert_chain(scanner.certificate, scanner.key)
    with socket.create_connection(("127.0.0.1", ear.server.ports[0]), 10) as plain:
        plain.sendall(BLOCK)
        with context.wrap_socket(plain) as connection:
            connection.sendall(associate_rq())
            assert connection.recv(1) == ACCEPTED
            (association,) = ear.server.open_associations
            assert association.requestor.address == "10.1.2.3"


def test_at_the_port_with_tls_a_strangers_header_is_refused_in_words_too(secure):
    ear = secure()
    assert said(ear, BLOCK) == b""
    assert "it begins with a PROXY header" in told(ear)[0]


def test_no_address_is_a_balancer_where_none_is_named():
    assert not Balancers().has("127.0.0.1")
    assert Balancers(("127.0.0.0/8",)).has("127.0.0.1")
    assert not Balancers(("127.0.0.0/8",)).has("10.0.0.1")
