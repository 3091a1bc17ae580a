"""C-STORE as a user over a connection of our own: what the peer gets, and what becomes of peers that say odd things."""

import struct
import time
from contextlib import contextmanager

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from wire import ABORT, RELEASE_RQ, command, p_data

from dicom_node.network.courier import AssociationLost, Courier

TOOK = command(
    AffectedSOPClassUID=CTImageStorage, CommandField=0x8001, MessageIDBeingRespondedTo=1, CommandDataSetType=0x0101,
    Status=0xB000, ErrorComment="as you like", AffectedSOPInstanceUID="1.2.3",
)  # fmt: skip


class Peer:
    """An archive that keeps what it gets, and says `first` before it answers."""

    def __init__(self, first: bytes = b"", slow_s: float = 0.0, longest: int = 16384) -> None:
        self.first, self.slow_s = first, slow_s
        self.got: list[tuple] = []
        self.ended: list[str] = []
        self.entity = AE("ARCHIVE")
        self.entity.maximum_pdu_size = longest
        self.entity.add_supported_context(CTImageStorage, ExplicitVRLittleEndian)

    def store(self, event) -> int:
        request = event.request
        self.got.append((request.MessageID, request.AffectedSOPInstanceUID, request.DataSet.getvalue()))
        if self.first:
            event.assoc.dul.socket.send(self.first)
        time.sleep(self.slow_s)
        return 0

    def note(self, event) -> None:
        self.ended.append(event.event.name)


@contextmanager
def courier(peer: Peer, patience_s: float = 10.0):
    handlers = [(evt.EVT_C_STORE, peer.store), (evt.EVT_RELEASED, peer.note), (evt.EVT_ABORTED, peer.note)]
    server = peer.entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    ours = AE("US")
    ours.dimse_timeout = ours.acse_timeout = patience_s
    context = build_context(CTImageStorage, ExplicitVRLittleEndian)
    try:
        yield Courier(ours.associate("127.0.0.1", server.server_address[1], [context], ae_title="ARCHIVE"))
    finally:
        server.shutdown()


def sent(one: Courier, data: list[bytes], number: int = 1):
    one.send(number, CTImageStorage, "1.2.3", ExplicitVRLittleEndian, data)
    return one.answer()


@pytest.mark.parametrize("longest", [64, 16384, 0], ids=["short", "usual", "unbounded"])
def test_the_peer_gets_every_byte_whatever_length_its_pdus_may_have(longest):
    peer = Peer(longest=longest)
    data = bytes(range(256)) * 40
    with courier(peer) as one:
        assert one.accepts(CTImageStorage, ExplicitVRLittleEndian)
        assert not one.accepts(CTImageStorage, "1.2.840.10008.1.2")
        for number in (1, 65535):
            answer = sent(one, [data[:5000], data[5000:]], number)
            assert (answer.status, answer.comment) == (0, "")
        one.close()
    assert peer.got == [(1, "1.2.3", data), (65535, "1.2.3", data)]
    assert peer.ended == ["EVT_RELEASED"]


def test_a_large_object_goes_in_blocks():
    peer = Peer()
    data = bytes(3 << 20)
    with courier(peer) as one:
        assert sent(one, [data, b"\1\2"]).status == 0
        one.close()
    assert peer.got == [(1, "1.2.3", data + b"\1\2")]


def test_an_answer_may_come_in_fragments_and_bear_a_comment():
    with courier(Peer(p_data((1, 1, TOOK[:20])) + p_data((1, 1, TOOK[20:30]), (1, 3, TOOK[30:])))) as one:
        answer = sent(one, [b"ab"])
        assert (answer.status, answer.comment) == (0xB000, "as you like")
        one.close()  # though more is said than was asked for


NO_ANSWERS = {
    "a release": RELEASE_RQ,
    "an abort": ABORT,
    "data": p_data((1, 2, b"data")),
    "an association's answer": struct.pack(">BxI", 2, 4) + bytes(4),
    "a PDU without end": struct.pack(">BxI", 4, 1 << 31),
    "fragments that do not fill their PDU": struct.pack(">BxIIBB", 4, 6, 9999, 1, 3),
    "a command without end": p_data(*[(1, 1, bytes(16000))] * 5),
    "a request": p_data((1, 3, command(CommandField=0x0030, MessageID=1, CommandDataSetType=0x0101))),
    "a response without a status": p_data((1, 3, command(CommandField=0x8001, MessageIDBeingRespondedTo=1))),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_ends_the_association(name):
    with courier(Peer(NO_ANSWERS[name])) as one:
        with pytest.raises(AssociationLost):
            sent(one, [b"ab"])
        with pytest.raises(AssociationLost):
            one.send(2, CTImageStorage, "1.2.3", ExplicitVRLittleEndian, [b"ab"])
        one.close()  # which may be said of one that has ended


def test_a_second_answer_to_one_request_is_none_to_the_next():
    """Else each object would be told what became of the one before it, and one that was refused would count as kept."""
    with courier(Peer(p_data((1, 3, TOOK)))) as one:
        assert sent(one, [b"ab"]).status == 0xB000
        with pytest.raises(AssociationLost, match="another request"):
            sent(one, [b"ab"], number=2)


def test_a_peer_that_does_not_answer_is_given_up():
    with courier(Peer(slow_s=1.0), patience_s=0.3) as one:
        with pytest.raises(AssociationLost, match="no answer in time"):
            sent(one, [b"ab"])
        one.close()


def test_what_ended_before_we_began_is_lost():
    peer = Peer()
    server = peer.entity.start_server(("127.0.0.1", 0), block=False)
    association = AE("US").associate(
        "127.0.0.1", server.server_address[1], [build_context(CTImageStorage, ExplicitVRLittleEndian)]
    )
    association.abort()
    with pytest.raises(AssociationLost):
        Courier(association)
    server.shutdown()
