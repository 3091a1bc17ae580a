"""What a connection reads lies in memory that is lent to it, whole PDU by whole PDU."""

import os
import queue
import socket
from types import SimpleNamespace

import pytest

from dicom_node.network.acceptor.connection import AREA_BYTES, AREAS_KEPT, HEADER, Areas, Bell, BufferedSocket, Watch

LONGEST = 4 * AREA_BYTES


@pytest.fixture
def pair():
    theirs, ours = socket.socketpair()
    theirs.settimeout(10)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LONGEST)
    association = SimpleNamespace(dul=SimpleNamespace(event_queue=queue.Queue()), network_timeout=5)
    yield theirs, BufferedSocket(association, ours, LONGEST)
    theirs.close()
    ours.close()


def pdu(length: int) -> bytes:
    return HEADER.pack(4, length) + os.urandom(length)


def sent_and_taken(theirs: socket.socket, ours: BufferedSocket, pdus: list[bytes]) -> list[bytes]:
    """What is taken, PDU by PDU, of all these as they come."""
    rest, taken = memoryview(b"".join(pdus)), []
    theirs.setblocking(False)
    while len(taken) < len(pdus):
        if rest:
            rest = rest[theirs.send(rest[:50_000]) :]
        ours.fill()
        while ours.holds_data:
            size = HEADER.size + HEADER.unpack_from(ours.peek())[1]
            taken.append(bytes(ours.peek()[:size]))
            ours.drop(size)
    return taken


@pytest.mark.parametrize("length", [1, 16_384, 131_072, AREA_BYTES, LONGEST])
def test_every_pdu_is_taken_as_it_was_sent_whatever_its_length(pair, length):
    pdus = [pdu(length) for _ in range(2 + 3 * AREA_BYTES // length)][:200]
    assert sent_and_taken(*pair, pdus) == pdus
    assert pair[1].waiting == 0


def test_a_connection_without_a_word_holds_no_memory(pair):
    theirs, ours = pair
    ours.fill()
    assert len(ours._area) == 0
    sent_and_taken(theirs, ours, [pdu(1000)])
    assert len(ours._area) == 0


def test_memory_grows_with_what_has_come_and_not_with_what_is_announced(pair):
    theirs, ours = pair
    theirs.sendall(HEADER.pack(4, LONGEST) + bytes(1000))
    ours.fill()
    assert ours.waiting == HEADER.size + 1000
    assert len(ours._area) == AREA_BYTES


def test_areas_are_lent_again_and_few_are_kept():
    areas = Areas()
    first = areas.lend()
    areas.take_back(first)
    assert areas.lend() is first
    for _ in range(2 * AREAS_KEPT):
        areas.take_back(bytearray(AREA_BYTES))
    areas.take_back(bytearray(2 * AREA_BYTES))
    assert [len(area) for area in areas._free] == [AREA_BYTES] * AREAS_KEPT


def test_the_watch_tells_the_bell_from_the_connection(pair):
    theirs, ours = pair
    bell = Bell()
    watch, connection = Watch(bell), ours.socket.fileno()
    assert watch.wait(connection, 0.01) == (False, False)
    theirs.sendall(b"x")
    assert watch.wait(connection, 5) == (False, True)
    assert watch.wait(None, 0.01) == (False, False)
    bell.ring()
    assert watch.wait(connection, 5) == (True, True)
    assert watch.wait(None, 5) == (True, False)
    assert watch.wait(-1, 5) == (False, True)
    bell.close()
