"""What a peer said to a request for an association, however fast it said it, from hand-made peers on loopback."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import SegmentationStorage

from dicom_node.errors import Rejected, Unreachable
from dicom_node.network import proposals
from dicom_node.network.client import open_association
from dicom_node.network.peer import Peer

REJECTED_FOR_GOOD = bytes.fromhex("03000000000400010107")  # A-ASSOCIATE-RJ, called AE title (PS3.8 9.3.4)
REJECTED_FOR_NOW = bytes.fromhex("03000000000400020302")  # local limit exceeded
ABORTED = bytes.fromhex("07000000000400000200")  # A-ABORT by the service provider (PS3.8 9.3.8)


def accepted(*results: int) -> bytes:
    """An A-ASSOCIATE-AC with the results of the contexts 1, 3, … (PS3.8 9.3.3)."""

    def item(kind: int, content: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(content)) + content

    syntax = item(0x40, b"1.2.840.10008.1.2")
    contexts = [item(0x21, bytes([2 * at + 1, 0, result, 0]) + syntax) for at, result in enumerate(results)]
    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
    content = item(0x10, b"1.2.840.10008.3.1.1.1") + b"".join(contexts) + user
    head = struct.pack(">Hxx16s16s32x", 1, b"ARCHIVE".ljust(16), b"SEGNODE".ljust(16))
    return struct.pack(">BxI", 2, len(head) + len(content)) + head + content


@contextmanager
def peer_that_says(answer: bytes, stay_s: float = 0.0) -> Iterator[Peer]:
    """Somebody who takes one connection, reads the request, answers and, after a while, leaves."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                time.sleep(stay_s)

        serving = threading.Thread(target=serve)
        serving.start()
        yield Peer(ae_title="ARCHIVE", host="127.0.0.1", port=listening.getsockname()[1])
        serving.join()


def ask(peer: Peer, limit_s: float = 30.0, late: bool = False) -> None:
    """Ask for an association; `late`, this thread looks only after its own reactor has read the answer and hung up."""

    def sleep_over_the_answer(event: evt.Event) -> None:
        event.assoc.dul.join(10)

    handlers = [(evt.EVT_REQUESTED, sleep_over_the_answer)] if late else []
    with open_association(peer, "SEGNODE", proposals.verification(), handlers=handlers, limit_s=limit_s):
        pass


@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (REJECTED_FOR_GOOD, Rejected, r"rejects .*: called ae title not recognised \(rejected permanent\)"),
        (REJECTED_FOR_NOW, Unreachable, r"rejects .*: local limit exceeded \(rejected transient\)"),
        (ABORTED, Unreachable, "aborted the association"),
        (b"", Unreachable, "ended the connection without an answer"),
    ],
    ids=["rejected for good", "rejected for now", "aborted", "ended"],
)
def test_an_answer_is_heard_however_soon_the_peer_hangs_up(answer, error, words, late):
    with peer_that_says(answer) as peer, pytest.raises(error, match=words) as raised:
        ask(peer, late=late)
    assert raised.type is error


@pytest.mark.parametrize("end", [ABORTED, b""], ids=["aborted", "ended"])
def test_who_accepts_some_contexts_and_goes_at_once_has_not_declined(end, monkeypatch):
    """An archive that is stopping is asked again; it is none that takes nothing of ours."""
    associate = AE.associate

    def look_late(*arguments, **more) -> Association:
        association = associate(*arguments, **more)
        association.join(10)
        return association

    monkeypatch.setattr(AE, "associate", look_late)
    segmentation = proposals.storage([(SegmentationStorage, ExplicitVRLittleEndian)])
    with (
        peer_that_says(accepted(0, 4) + end) as peer,
        pytest.raises(Unreachable, match="aborted the association"),
        open_association(peer, "SEGNODE", segmentation),
    ):
        pytest.fail("there is none")


def test_a_peer_that_says_nothing_is_said_to():
    with peer_that_says(b"", stay_s=0.6) as peer, pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
        ask(peer, limit_s=0.2)
