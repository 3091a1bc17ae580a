"""No peer takes more of our upper layer than its share: of time, of bytes, of room."""

import contextlib
import resource
import socket
import struct
import threading
import time
from statistics import median

import pytest
from pydicom.uid import ImplicitVRLittleEndian
from upper_layers import ECHO, HELLO, STORE, eventually
from wire import RELEASE_RP, RELEASE_RQ, Wire, command, echo_rq, item, p_data, said, store_rq

from dicom_node.network.acceptor.messages import MAX_COMMAND_BYTES

# Time


def test_a_connection_that_says_nothing_is_closed_by_artim(ear):
    node = ear(acse_s=0.3)
    with Wire(node.port) as wire:
        assert wire.hear() == b""
    assert eventually(lambda: node.threads() == 0)


@pytest.mark.parametrize("size", [1, 5, 6, 30])
def test_a_request_that_stops_in_the_middle_is_closed_by_artim(ear, size):
    node = ear(acse_s=0.3)
    with Wire(node.port) as wire:
        wire.say(HELLO[:size])
        assert wire.hear() == b""
    assert eventually(lambda: node.threads() == 0)


def test_a_connection_that_goes_before_it_asked_is_forgotten_at_once(ear):
    node = ear(acse_s=1000.0)
    Wire(node.port).socket.close()
    assert eventually(lambda: node.threads() == 0)


@pytest.mark.parametrize("unfinished", [b"", ECHO[:3], ECHO[:40], STORE[0] + STORE[1][:8]], ids=len)
def test_silence_in_an_association_ends_it_also_in_the_middle_of_a_pdu(ear, unfinished):
    node = ear(idle_s=0.3)
    with Wire(node.port).associated() as wire:
        wire.say(unfinished)
        assert said([wire.hear()]) == [(7, bytes(4))]
        assert wire.hear() == b""
    assert eventually(lambda: node.threads() == 0)
    assert node.ended == ["aborted"]


def test_an_association_that_speaks_now_and_then_stays(ear):
    with Wire(ear(idle_s=1.0).port).associated() as wire:
        for _ in range(8):
            wire.say(ECHO, pause_s=0.3)
            assert wire.status() == 0


def test_work_of_ours_that_takes_longer_than_the_silence_we_bear_is_no_silence(ear):
    with Wire(ear(idle_s=0.3, slow_s=0.8).port).associated() as wire:
        wire.say(*STORE)
        assert wire.status() == 0
        wire.say(RELEASE_RQ)
        assert wire.hear()[:1] == RELEASE_RP[:1]


def test_a_peer_that_does_not_read_its_answers_is_let_go(ear):
    node = ear(idle_s=0.5)
    with Wire(node.port).associated() as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.socket.settimeout(2.0)
        with contextlib.suppress(OSError):
            while True:
                wire.say(p_data(*[(1, 3, echo_rq())] * 100))
    assert eventually(lambda: node.threads() == 0)


def test_idle_associations_use_no_processor(ear):
    node = ear(idle_s=1000.0, acse_s=1000.0)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(Wire(node.port).associated())
            stack.enter_context(Wire(node.port))
        before = resource.getrusage(resource.RUSAGE_SELF)
        time.sleep(1.0)
        after = resource.getrusage(resource.RUSAGE_SELF)
    # pynetdicom's polls wake a thread 12,000 times in this second
    assert after.ru_nvcsw - before.ru_nvcsw < 200


def test_a_sender_that_waits_for_acknowledgements_does_not_wait_long(ear):
    """Nagle's algorithm holds a small packet back until the ones before are acknowledged: usually for 40 ms."""
    with Wire(ear().port) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        wire.associated()
        took = []
        for number in range(15):
            parts = [p_data((3, 3, store_rq(f"1.2.{number}"))), *[p_data((3, 0, bytes(16000)))] * 4, STORE[1]]
            start = time.monotonic()
            for part in parts:  # as DCMTK does: the head of a PDU, then what is in it
                wire.say(part[:12], part[12:])
            assert wire.status() == 0
            took.append(time.monotonic() - start)
    assert median(took) < 0.035


# Bytes


@pytest.mark.parametrize(("kind", "length"), [(4, 16385), (4, 2**32 - 1), (1, 2**31), (5, 2**20), (7, 5000)])
def test_a_pdu_longer_than_announced_is_aborted_before_it_is_read(ear, kind, length):
    node = ear()
    with Wire(node.port).associated() as wire:
        wire.say(struct.pack(">BxI", kind, length))
        assert said([wire.hear()]) == [(7, b"\0\0\2\0")]  # by the service provider
    assert eventually(lambda: node.threads() == 0)


def test_the_longest_announced_pdu_is_taken(ear):
    node = ear()
    with Wire(node.port).associated() as wire:
        wire.say(p_data((3, 3, store_rq("1.2.3"))), p_data((3, 2, bytes(16384 - 6))))
        assert wire.status() == 0


def test_a_request_longer_than_sensible_is_aborted_before_it_is_read(ear):
    with Wire(ear().port) as wire:
        wire.say(struct.pack(">BxI", 1, 2**30))
        assert wire.hear()[:1] == b"\x07"


def test_a_command_without_end_is_aborted(ear):
    node = ear()
    with Wire(node.port).associated() as wire:
        wire.say(*[p_data((1, 1, bytes(16000)))] * (MAX_COMMAND_BYTES // 16000 + 1))
        assert wire.hear()[:1] == b"\x07"
    assert eventually(lambda: node.threads() == 0)


def test_a_data_set_beyond_the_bound_is_answered_and_the_next_is_taken(ear):
    node = ear(max_object_bytes=50_000)
    with Wire(node.port).associated() as wire:
        wire.say(STORE[0], *[p_data((3, 0, bytes(10_000)))] * 6, p_data((3, 2, b"")))
        assert wire.status() == 0xA700
        wire.say(*STORE)
        assert wire.status() == 0
    assert node.stored == {"1.2.3": b"abcdef"}


def test_an_identifier_without_end_is_aborted(ear):
    find = command(AffectedSOPClassUID="1.2.840.10008.1.1", CommandField=0x20, MessageID=1, Priority=0,
                   CommandDataSetType=1)  # fmt: skip
    with Wire(ear().port).associated() as wire:
        wire.say(p_data((1, 3, find)))
        with contextlib.suppress(ConnectionError):
            wire.say(*[p_data((1, 0, bytes(16000)))] * 300)
        assert wire.hear()[:1] == b"\x07"


def test_messages_are_not_read_before_there_is_time_for_them(ear):
    node = ear(slow_s=0.05)
    with Wire(node.port).associated() as wire:
        sender = threading.Thread(
            target=lambda: wire.say(*(b"".join((p_data((3, 3, store_rq(f"1.{n}"))), STORE[1])) for n in range(1, 21)))
        )
        sender.start()
        waiting = []
        for _ in range(20):
            assert wire.status() == 0
            waiting += [one.dimse.msg_queue.qsize() for one in node.server.active_associations]
        sender.join()
    assert len(node.stored) == 20
    assert max(waiting) <= 1


# Room


def test_silent_connections_are_no_associations(ear):
    node = ear()  # for 4 associations
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(Wire(node.port))
        assert eventually(lambda: node.threads() == 20)
        stack.enter_context(Wire(node.port).associated())


def test_associations_are_limited(ear):
    node = ear()
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(Wire(node.port).associated())
        with Wire(node.port) as wire:
            wire.say(HELLO)
            assert said([wire.hear()]) == [(3, b"\0\2\3\2")]  # local limit exceeded, transient
    assert eventually(lambda: node.threads() == 0)
    Wire(node.port).associated().socket.close()


def test_where_room_is_short_the_oldest_silent_connection_goes(ear):
    node = ear(max_connections=3)
    with Wire(node.port).associated(), Wire(node.port) as oldest:
        assert eventually(lambda: node.threads() == 2)
        with Wire(node.port) as older, Wire(node.port).associated():
            assert oldest.hear() == b""
            older.say(HELLO)
            assert older.hear()[:1] == b"\x02"
            start = time.monotonic()
            with Wire(node.port) as refused:
                assert refused.hear() == b""
            assert time.monotonic() - start < 8  # at once, not by ARTIM


def without_an_abstract_syntax() -> bytes:
    """A request whose one presentation context names no service."""
    context = item(0x20, struct.pack(">Bxxx", 1) + item(0x40, ImplicitVRLittleEndian.encode()))
    body = struct.pack(">Hxx16s16s32x", 1, b"SEGNODE".ljust(16), b"SCANNER".ljust(16))
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + context + item(0x50, item(0x51, struct.pack(">I", 16384)))
    return struct.pack(">BxI", 1, len(body)) + body


def test_a_request_that_names_no_service_is_aborted_and_holds_no_place(ear):
    node = ear(acse_s=20.0)
    for _ in range(6):  # more than there is room for
        with Wire(node.port, timeout_s=5.0) as wire:
            wire.say(without_an_abstract_syntax())
            assert wire.hear()[:1] == b"\x07"
    assert eventually(lambda: node.threads() == 0)
    with Wire(node.port).associated() as wire:
        wire.say(ECHO)
        assert wire.status() == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_costs_its_own_association_alone(ear, monkeypatch):
    node = ear(acse_s=20.0)
    monkeypatch.setattr("pynetdicom.acse.negotiate_as_acceptor", lambda *_: 1 / 0)
    for _ in range(6):
        with Wire(node.port, timeout_s=5.0) as wire:
            wire.say(HELLO)
            assert wire.hear()[:1] in (b"\x07", b"")
    assert eventually(lambda: node.threads() == 0)
    monkeypatch.undo()
    with Wire(node.port).associated() as wire:
        wire.say(ECHO)
        assert wire.status() == 0
