"""Our upper layer (with its connection and messages) gives a peer the answers that pynetdicom's own gives, or better.

Covers dicom_node.network.acceptor.connection and dicom_node.network.acceptor.messages, which are parts of it.
"""

import ssl
import struct
import subprocess

import pytest
from upper_layers import CONVERSATIONS, ECHO, HELLO, converse
from wire import RELEASE_RP, RELEASE_RQ, Wire, command, echo_rq, p_data, pieces, status_of, store_rq

from dicom_node.network.client import send


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # pynetdicom's own
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_same_words_get_the_same_answers(ear, name):
    ours, stock = ear(acse_s=2.0), ear(ours=False, acse_s=2.0)
    assert converse(ours, CONVERSATIONS[name]) == converse(stock, CONVERSATIONS[name])
    assert ours.ended == stock.ended
    assert ours.originators == stock.originators


def test_a_release_is_answered_and_an_abort_is_noted(ear):
    node = ear()
    assert [kind for kind, _ in converse(node, CONVERSATIONS["echo and release"])[0]] == [2, 4, 6]
    assert [kind for kind, _ in converse(node, CONVERSATIONS["abort"])[0]] == [2]
    assert node.ended == ["released", "aborted"]


def test_large_and_split_data_arrive_whole(ear):
    node = ear()
    data = bytes(range(256)) * 4000
    with Wire(node.port).associated() as wire:
        wire.say(p_data((3, 3, store_rq("1.2.3"))))
        wire.say(*(p_data((3, 0, part)) for part in pieces(data, 16000)), p_data((3, 2, b"")))
        assert wire.status() == 0
    assert node.stored == {"1.2.3": data}


def test_two_messages_in_one_pdu_are_both_answered(ear):
    with Wire(ear().port).associated() as wire:
        wire.say(p_data((1, 3, echo_rq(1)), (1, 3, echo_rq(2))))
        assert [wire.status(), wire.status()] == [0, 0]


UNEVEN = struct.pack("<HHIB", 0, 0x0800, 1, 0)  # CommandDataSetType of one byte; found by the fuzzer
MALFORMED = {
    "an empty fragment": struct.pack(">BxIIB", 4, 5, 1, 1),
    "a fragment longer than its PDU": struct.pack(">BxIIBB", 4, 6, 9999, 1, 3),
    "a command that is none": p_data((1, 3, b"\xff" * 30)),
    "a command without a field": p_data((1, 3, command(MessageID=1))),
    "an unknown command": p_data((1, 3, command(CommandField=0x7777, MessageID=1, CommandDataSetType=0x0101))),
    "a command with an uneven number": p_data((1, 3, command(CommandField=0x0030, MessageID=1) + UNEVEN)),
    "data without a command": p_data((3, 2, b"abc")),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_message_is_aborted_and_the_node_goes_on(ear, name):
    node = ear()
    with Wire(node.port).associated() as wire:
        wire.say(MALFORMED[name])
        assert wire.hear()[:1] == b"\x07"
    assert converse(node, CONVERSATIONS["echo and release"])[0]


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    return key, certificate


@pytest.fixture
def tls(ear, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    client = ssl.create_default_context(cafile=certificate[1])
    client.check_hostname = False
    return ear(context=context, acse_s=2.0), client.wrap_socket


def test_the_same_conversation_over_tls(tls):
    node, wrap = tls
    data = bytes(range(256)) * 1000
    with Wire(node.port, wrap=wrap).associated() as wire:
        # One TLS record holds the end of one PDU and the start of the next: no poll tells of the second.
        wire.say(p_data((3, 3, store_rq("1.2.3"))) + b"".join(p_data((3, 0, part)) for part in pieces(data, 3000)))
        wire.say(p_data((3, 2, b"")) + ECHO)
        assert [wire.status(), wire.status()] == [0, 0]
        wire.say(RELEASE_RQ)
        assert wire.hear()[:1] == RELEASE_RP[:1]
    assert node.stored == {"1.2.3": data}


def test_a_handshake_that_does_not_come_holds_up_nobody_and_is_given_up(tls):
    node, wrap = tls
    with Wire(node.port) as silent, Wire(node.port) as babbling:
        babbling.say(HELLO)
        Wire(node.port, wrap=wrap).associated().socket.close()
        assert silent.hear() == b""
        babbling.hear_all()  # whatever TLS says to it: it ends


def test_our_own_user_talks_to_it(listen, ct_series):
    node = listen()
    assert all(status.stored for status in send(ct_series, node.peer).values())


def test_statuses_are_found_in_responses():
    assert status_of(p_data((1, 3, command(CommandField=0x8001, Status=0xA700)))) == 0xA700
