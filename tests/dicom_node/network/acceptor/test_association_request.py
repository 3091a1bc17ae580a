"""An A-ASSOCIATE-RQ is read as PS3.8 has an acceptor read it, and as DCMTK does, where pynetdicom ends it."""

import struct

import pytest
from upper_layers import Ear, ear  # noqa: F401 (a fixture)
from wire import RELEASE_RQ, Wire, associate_rq, echo_rq, item, p_data

from dicom_node.network.acceptor.association_request import as_it_is_meant

HELLO = associate_rq()
TITLES_AT, CONTEXTS_AT = 10, 74


def with_items(*, inner: bytes = b"", outer: bytes = b"") -> bytes:
    """The request with more sub-items in its user information, which is its last item, and more items behind it."""
    at = HELLO.rindex(item(0x51, struct.pack(">I", 16384))) - 4
    body = HELLO[6:at] + item(0x50, HELLO[at + 4 :] + inner) + outer
    return struct.pack(">BxI", 1, len(body)) + body


def with_titles(called: bytes, calling: bytes) -> bytes:
    return HELLO[:TITLES_AT] + called.ljust(16, b"\0") + calling.ljust(16, b"\0") + HELLO[TITLES_AT + 32 :]


MEANT = {
    "a sub-item of its maker's": with_items(inner=item(0x7F, b"abc")),
    "an item of its maker's": with_items(outer=item(0x99, b"abc")),
    "titles filled up with NUL": with_titles(b"SEGNODE", b"SCANNER"),
    "titles that end at a NUL": with_titles(b"SEGNODE\0left", b"SCANNER\0over"),
    "version 1 among others": associate_rq(version=3),
}


@pytest.mark.parametrize("request_", MEANT.values(), ids=MEANT)
def test_it_is_read_as_a_plain_one(request_: bytes) -> None:
    assert as_it_is_meant(request_) == HELLO


@pytest.mark.parametrize("request_", MEANT.values(), ids=MEANT)
def test_it_gets_its_association(ear, request_: bytes) -> None:  # noqa: F811
    node: Ear = ear()
    with Wire(node.port) as wire:
        wire.say(request_)
        assert wire.hear()[:1] == b"\x02"
        wire.say(p_data((1, 3, echo_rq())))
        assert wire.status() == 0
        wire.say(RELEASE_RQ)


@pytest.mark.parametrize("cut", [80, 200, len(HELLO) - 1, len(HELLO) - 12])
def test_what_has_no_whole_items_is_left_for_who_refuses_it(cut: int) -> None:
    broken = struct.pack(">BxI", 1, cut - 6) + HELLO[6:cut]
    assert as_it_is_meant(broken) == broken


@pytest.mark.parametrize("version", [0, 2])
def test_another_version_alone_stays_another(version: int) -> None:
    assert as_it_is_meant(associate_rq(version=version))[7] & 1 == 0
