"""A plain C-STORE goes the straight way and gets pynetdicom's own answer; what is not plain is left to pynetdicom."""

import struct

import pytest
from pydicom.uid import CTImageStorage
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF
from upper_layers import CONVERSATIONS, ECHO, STORE, converse
from wire import RELEASE_RQ, Wire, echo_rq, p_data, pieces, store_rq

from dicom_node.network.acceptor.spool import Spool
from dicom_node.network.acceptor.straight import fragments_of, read_request, response
from dicom_node.network.acceptor.upper_layer import WaitingAssociation


def read(data: bytes):
    return read_request(data, 3, lambda: None)


def test_a_plain_request_is_read():
    title = {"MoveOriginatorApplicationEntityTitle": "SEG NODE ", "MoveOriginatorMessageID": 7}
    request = read(store_rq("1.2.3", 513, **title))
    assert (request.context_id, request.MessageID, request.Priority) == (3, 513, 0)
    assert (request.AffectedSOPClassUID, request.AffectedSOPInstanceUID) == (CTImageStorage, "1.2.3")
    assert (request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID) == ("SEG NODE", 7)


NOT_PLAIN = {
    "another service": echo_rq(),
    "a UID that begins with 0": store_rq("1.02.3"),
    "a UID that is too long": store_rq("1." + "2" * 63),
    "no instance": store_rq(None),
    "no data": store_rq("1.2", CommandDataSetType=0x0101),
    "an unknown priority": store_rq("1.2", Priority=3),
    "an element of a response": store_rq("1.2", Status=0),
    "a class that is not stored": store_rq("1.2", AffectedSOPClassUID="1.2.840.10008.1.1"),
    "a title with a backslash": store_rq("1.2", MoveOriginatorApplicationEntityTitle=["A", "B"]),
    "an element that does not end": store_rq("1.2")[:-1],
    "half of an element's head": store_rq("1.2") + b"\0\0\0",
    "the same element twice": store_rq("1.2") + struct.pack("<HHI4s", 0, 0x1000, 4, b"1.3\0"),
    "nothing": b"",
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_plain_is_left_alone(name):
    assert read(NOT_PLAIN[name]) is None


@pytest.mark.parametrize("status", [0x0000, 0xA700, 0xC001])
@pytest.mark.parametrize("instance", ["1.2.3", "1.2.34"], ids=["odd", "even"])
def test_the_response_is_pynetdicoms_to_the_byte(status, instance):
    request = read(store_rq(instance, 65535))
    theirs = C_STORE()
    theirs.MessageIDBeingRespondedTo, theirs.Status = request.MessageID, status
    theirs.AffectedSOPClassUID, theirs.AffectedSOPInstanceUID = CTImageStorage, instance
    message = C_STORE_RSP()
    message.primitive_to_message(theirs)
    (primitive,) = message.encode_msg(3, 16384)
    pdu = P_DATA_TF()
    pdu.from_primitive(primitive)
    assert response(request, status) == pdu.encode()


def test_fragments_are_found_only_where_they_fill_their_pdu():
    whole = p_data((3, 0, b"ab"), (1, 3, b"c"))
    assert fragments_of(memoryview(whole)) == [(3, 0, 12, 14), (1, 3, 20, 21)]
    empty, too_long = struct.pack(">BxIIB", 4, 5, 1, 1), struct.pack(">BxIIBB", 4, 6, 9999, 1, 3)
    for spoilt in (p_data(), empty, too_long, p_data((3, 0, b""))[:6] + bytes(6)):
        assert fragments_of(memoryview(spoilt)) == []


def handed_over(node) -> int:
    """How many messages pynetdicom made of what the node's one association heard."""
    (association,) = node.server.active_associations
    return association.dimse.handed_over


def test_stores_go_the_straight_way_and_all_else_goes_pynetdicoms(ear):
    node = ear()
    with Wire(node.port).associated() as wire:
        wire.say(ECHO)  # by its answer the association's thread is at work
        assert (wire.status(), handed_over(node)) == (0, 1)
        data = bytes(range(256)) * 400
        for number in range(3):
            wire.say(p_data((3, 3, store_rq(f"1.2.{number}"))))
            wire.say(*(p_data((3, 0, part)) for part in pieces(data, 9000)), p_data((3, 2, b"x")))
            assert (wire.status(), handed_over(node)) == (0, 1)
        wire.say(p_data((3, 3, store_rq("1.3", Priority=3))), STORE[1])
    assert node.stored == {f"1.2.{number}": data + b"x" for number in range(3)}


def test_what_had_come_straight_is_handed_over_with_its_data(ear):
    node = ear()
    with Wire(node.port).associated() as wire:
        wire.say(ECHO)
        assert wire.status() == 0
        wire.say(STORE[0], p_data((3, 0, b"abc")), p_data((3, 0, b"def"), (3, 2, b"ghi"), (1, 3, echo_rq())))
        assert [wire.status(), wire.status()] == [0, 0]
        assert handed_over(node) == 3
        wire.say(RELEASE_RQ)
        wire.hear_all()
    assert node.stored == {"1.2.3": b"abcdefghi"}


def test_a_handler_that_fails_is_answered_and_the_association_goes_on(ear):
    node = ear()
    node.slow_s = "no number"  # time.sleep raises a TypeError
    with Wire(node.port).associated() as wire:
        wire.say(ECHO)
        assert wire.status() == 0
        wire.say(*STORE)
        assert wire.status() == 0xC211
        node.slow_s = 0.0
        wire.say(*STORE)
        assert wire.status() == 0


def test_a_peer_with_little_room_gets_its_answer_in_fragments(ear):
    node = ear()
    with Wire(node.port).associated(longest=64) as wire:
        wire.say(ECHO)
        while wire.hear()[11] & 2 == 0:
            pass
        wire.say(*STORE)
        answer = b""
        while True:
            pdu = wire.hear()
            assert len(pdu) - 6 <= 64
            answer += pdu[12:]
            if pdu[11] & 2:
                break
    assert answer == command_of(response(read(store_rq("1.2.3")), 0))


def command_of(pdu: bytes) -> bytes:
    return pdu[12:]


def test_the_digest_is_known_when_the_data_are(tmp_path):
    spool = Spool(100, tmp_path, lambda: True)
    for part in (b"abc", memoryview(b"def"), b""):
        spool.write(part)
    assert spool.sha256() == "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"


def test_a_conversation_is_stored_as_it_was_said(ear):
    node = ear()
    converse(node, CONVERSATIONS["two stores and an echo at once"])
    assert node.stored == {"1.2.3": b"abcdef", "1.2.4": b"xy"}


def test_a_message_that_pynetdicom_has_begun_is_left_to_it(ear, monkeypatch):
    turns = iter([False])  # the association's own thread is late: the first command does not find it at leisure
    monkeypatch.setattr(WaitingAssociation, "is_at_leisure", property(lambda _: next(turns, True)))
    talk = CONVERSATIONS["another command in the middle of the data"]
    assert converse(ear(), talk) == converse(ear(ours=False), talk)
