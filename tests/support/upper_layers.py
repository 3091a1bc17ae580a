"""A storage provider on our upper layer or on pynetdicom's, and conversations that both can have."""

import contextlib
import struct
import time
from types import SimpleNamespace

import pytest
from pydicom.uid import MRImageStorage
from pynetdicom import AE, evt
from wire import ABORT, RELEASE_RP, RELEASE_RQ, Wire, associate_rq, echo_rq, p_data, pieces, said, store_rq

from dicom_node.network.acceptor.messages import Limits
from dicom_node.network.acceptor.upper_layer import Entity
from dicom_node.network.contexts import supported_contexts
from dicom_node.network.listener import Secured
from dicom_node.network.listener import listen as listen_at

PATIENT_S = 15.0


class Ear:
    """A storage provider that remembers what it was sent, on our upper layer or on pynetdicom's."""

    def __init__(self, stack, folder, *, ours=True, acse_s=10.0, idle_s=10.0, slow_s=0.0, context=None, **limits):
        self.stored: dict[str, bytes] = {}
        self.ended: list[str] = []
        self.originators: list[str | None] = []
        self.slow_s = slow_s
        entity = (Entity if ours else AE)("SEGNODE")
        entity.supported_contexts = supported_contexts()
        entity.require_called_aet = True
        entity.maximum_pdu_size = 16384
        entity.maximum_associations = 4
        entity.acse_timeout, entity.network_timeout, entity.dimse_timeout = acse_s, idle_s, idle_s
        handlers = [
            (evt.EVT_C_STORE, self.store),
            (evt.EVT_RELEASED, lambda event: self.ended.append("released")),
            (evt.EVT_ABORTED, lambda event: self.ended.append("aborted")),
        ]
        if ours:
            keeper = SimpleNamespace(context=lambda: context)
            secured = context and Secured(keeper, acse_s, told=lambda _: None, refused=lambda *_: None)
            self.server = listen_at(entity, ("127.0.0.1", 0), handlers, Limits(folder=folder, **limits), secured)
        else:
            self.server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self.server.server_address[1]
        stack.callback(self.server.shutdown)

    def store(self, event) -> int:
        time.sleep(self.slow_s)
        data = event.request.DataSet
        self.originators.append(event.request.MoveOriginatorApplicationEntityTitle)
        if getattr(data, "trouble", ""):
            return 0xA700
        self.stored[event.request.AffectedSOPInstanceUID] = bytes(data.getbuffer())
        return 0

    def threads(self) -> int:
        return len(self.server.active_associations)


@pytest.fixture
def ear(tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda **options: Ear(stack, tmp_path, **options)


def eventually(condition, limit_s=PATIENT_S) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


ECHO = p_data((1, 3, echo_rq()))
STORE = (p_data((3, 3, store_rq("1.2.3"))), p_data((3, 2, b"abcdef")))
HELLO = associate_rq()
UNKNOWN = struct.pack(">BxI", 0x42, 0)
NOT_ACCEPTED = associate_rq(contexts=((1, "1.2.3.4.5", "1.2.840.10008.1.2"),))
HEAR = b""  # at this place the peer waits for one PDU
# What a peer says, in parts that are sent one after the other; at the end it hears all that still comes.
CONVERSATIONS = {
    "echo and release": [HELLO, HEAR, ECHO, HEAR, RELEASE_RQ],
    "store and release": [HELLO, HEAR, *STORE, HEAR, RELEASE_RQ],
    "echo twice": [HELLO, HEAR, ECHO, HEAR, p_data((1, 3, echo_rq(2))), HEAR, RELEASE_RQ],
    "byte by byte": [*pieces(HELLO, 1), HEAR, *pieces(ECHO, 1), HEAR, *pieces(RELEASE_RQ, 1)],
    "in odd pieces": [*pieces(HELLO, 7), HEAR, *pieces(b"".join(STORE), 11), HEAR, *pieces(RELEASE_RQ, 3)],
    "command and data in one PDU": [
        HELLO, HEAR, p_data((3, 3, store_rq("1.2.3")), (3, 2, b"abcdef")), HEAR, RELEASE_RQ,
    ],
    "a command in fragments": [
        HELLO, HEAR, p_data((1, 1, echo_rq()[:20]), (1, 3, echo_rq()[20:])), HEAR, RELEASE_RQ,
    ],
    "data in many PDUs": [
        HELLO, HEAR, STORE[0], *(p_data((3, 0, bytes([n]) * 999)) for n in range(40)), p_data((3, 2, b"")), HEAR,
        RELEASE_RQ,
    ],
    "several fragments of data in each PDU": [
        HELLO, HEAR, p_data((3, 3, store_rq("1.2.3")), (3, 0, b"ab"), (3, 0, b"cd")),
        p_data((3, 0, b"e"), (3, 2, b"f")), HEAR, RELEASE_RQ,
    ],
    "two stores and an echo at once": [
        HELLO, HEAR, b"".join(STORE) + p_data((3, 3, store_rq("1.2.4"))) + p_data((3, 2, b"xy")) + ECHO, HEAR, HEAR,
        HEAR, RELEASE_RQ,
    ],
    "a store's command in fragments": [
        HELLO, HEAR, p_data((3, 1, store_rq("1.2.3")[:30])), p_data((3, 3, store_rq("1.2.3")[30:])), STORE[1], HEAR,
        RELEASE_RQ,
    ],
    "another command in the middle of the data": [
        HELLO, HEAR, STORE[0], p_data((3, 0, b"abc")), p_data((3, 3, store_rq("1.2.4"))), STORE[1], HEAR, RELEASE_RQ,
    ],
    "a piece of a command in the middle of the data": [
        HELLO, HEAR, STORE[0], p_data((3, 0, b"abc")), p_data((3, 1, b"x"), (3, 2, b"def")), HEAR, RELEASE_RQ,
    ],
    "data on another context than its command": [HELLO, HEAR, STORE[0], p_data((1, 2, b"abcdef")), HEAR, RELEASE_RQ],
    "a store on a context that was not accepted": [HELLO, HEAR, p_data((9, 3, store_rq("1.2.3"))), STORE[1]],
    "a store on a context of another service": [
        HELLO, HEAR, p_data((1, 3, store_rq("1.2.3"))), STORE[1], HEAR, RELEASE_RQ,
    ],
    "a store of another class than its context's": [
        HELLO, HEAR, p_data((3, 3, store_rq("1.2.3", AffectedSOPClassUID=MRImageStorage))), STORE[1], HEAR,
        RELEASE_RQ,
    ],
    "a store of no known class": [
        HELLO, HEAR, p_data((3, 3, store_rq("1.2.3", AffectedSOPClassUID="1.2.3"))), STORE[1],
    ],
    "a store that announces no data": [
        HELLO, HEAR, p_data((3, 3, store_rq("1.2.3", CommandDataSetType=0x0101))), ECHO, HEAR, RELEASE_RQ,
    ],
    "a store without an instance": [HELLO, HEAR, p_data((3, 3, store_rq(None))), STORE[1], ECHO, HEAR, RELEASE_RQ],
    "a store of an urgency that there is not": [
        HELLO, HEAR, p_data((3, 3, store_rq("1.2.3", Priority=7))), STORE[1], ECHO, HEAR, RELEASE_RQ,
    ],
    "a store with an odd instance": [HELLO, HEAR, p_data((3, 3, store_rq("1.02.x"))), STORE[1], HEAR, RELEASE_RQ],
    "a store that answers a move": [
        HELLO, HEAR, p_data((3, 3, store_rq("1.2.3", MoveOriginatorApplicationEntityTitle=" SEG NODE ",
                                            MoveOriginatorMessageID=7))), STORE[1], HEAR, RELEASE_RQ,
    ],
    "a store with an odd originator": [
        HELLO, HEAR, p_data((3, 3, store_rq("1.2.3", MoveOriginatorApplicationEntityTitle="A" * 17))), STORE[1], HEAR,
        RELEASE_RQ,
    ],
    "a store with more than there is to say": [
        HELLO, HEAR, p_data((3, 3, store_rq("1.2.3", Status=0))), STORE[1], HEAR, RELEASE_RQ,
    ],
    "release in the middle of the data": [HELLO, HEAR, STORE[0], p_data((3, 0, b"abc")), RELEASE_RQ],
    "abort in the middle of the data": [HELLO, HEAR, STORE[0], p_data((3, 0, b"abc")), ABORT],
    "gone in the middle of the data": [HELLO, HEAR, STORE[0], p_data((3, 0, b"abc")), None],
    "gone in the middle of a PDU": [HELLO, HEAR, STORE[0], STORE[1][:9], None],
    "a request for an association in the middle of the data": [HELLO, HEAR, STORE[0], p_data((3, 0, b"abc")), HELLO],
    "called wrongly": [associate_rq(called="OTHER")],
    "protocol version 2": [associate_rq(version=2)],
    "nothing to agree on": [NOT_ACCEPTED, HEAR, RELEASE_RQ],
    "data before an association": [ECHO],
    "release before an association": [RELEASE_RQ],
    "abort before an association": [ABORT],
    "two requests": [HELLO, HEAR, HELLO],
    "an answer that nobody asked for": [HELLO, HEAR, RELEASE_RP],
    "an unknown PDU": [UNKNOWN],
    "an unknown PDU later": [HELLO, HEAR, UNKNOWN],
    "a request that cannot be read": [struct.pack(">BxI", 1, 40) + b"\xff" * 40],
    "a release that cannot be read": [HELLO, HEAR, struct.pack(">BxI", 5, 1) + b"x"],
    "data on a context that was not accepted": [HELLO, HEAR, p_data((9, 3, echo_rq()))],
    "abort": [HELLO, HEAR, ABORT],
    "gone": [HELLO, HEAR, None],
}  # fmt: skip


def converse(ear: Ear, parts: list[bytes | None]) -> tuple:
    """What was heard until the node closed, and what it kept. None: we close."""
    heard = []
    with Wire(ear.port) as wire:
        for part in parts:
            if part == HEAR:
                heard.append(wire.hear())
            elif part is not None:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has hung up, and hears no more
                    wire.say(part)
        if parts[-1] is not None:
            heard += wire.hear_all()
    assert eventually(lambda: ear.threads() == 0)
    return said(heard), ear.stored
