"""Headers of the PROXY protocol as balancers write them, and everything else, which is refused."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from proxy_headers import LINE, V4, V6, block

from dicom_node.errors import BadProxyHeader
from dicom_node.network.acceptor.proxy_protocol import LONGEST_BLOCK, SIGNATURE, Sender, begins_header, read_sender


class Ended(Exception):
    """There was less than was asked for."""


def reader(content: bytes) -> tuple[Callable[[int], bytes], Callable[[], bytes]]:
    """Reads exactly, and tells what is left."""
    rest = bytearray(content)

    def read(size: int) -> bytes:
        if len(rest) < size:
            raise Ended
        taken = bytes(rest[:size])
        del rest[:size]
        return taken

    return read, lambda: bytes(rest)


@pytest.mark.parametrize(
    ("header", "sender"),
    [
        (LINE, Sender("10.1.2.3", 4242)),
        (b"PROXY TCP6 fd00::7 fd00:0:0::1 65535 0\r\n", Sender("fd00::7", 65535)),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
        (block(0x21, 0x11, V4), Sender("10.1.2.3", 4242)),
        (block(0x21, 0x11, V4 + b"\x03\0\x04abcd"), Sender("10.1.2.3", 4242)),
        (block(0x21, 0x21, V6), Sender("fd00::7", 4242)),
        (block(0x20, 0x00, b""), None),
        (block(0x20, 0x11, V4), None),
        (block(0x21, 0x00, b"more"), None),
    ],
    ids=["v1 tcp4", "v1 tcp6", "v1 unknown", "v1 unknown, longer", "v2 tcp4", "v2 with more", "v2 tcp6", "v2 local",
         "v2 local with addresses", "v2 unspecified"],
)  # fmt: skip
def test_the_sender_is_read_and_not_a_byte_more(header: bytes, sender: Sender | None) -> None:
    read, rest = reader(header + b"\x01\x00what the sender says")
    assert read_sender(read) == sender
    assert rest() == b"\x01\x00what the sender says"


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00SEGNODE", "does not begin with a header"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "does not begin with a header"),
        (b"PROXY TCP4 " + b"1" * 200, "longer than 107 bytes"),
        (b"PROXY TCP4 10.1.2.3 10.9.9.9 4242\r\n", "two addresses and two ports"),
        (b"PROXY UDP4 10.1.2.3 10.9.9.9 4242 104\r\n", "TCP4 or TCP6"),
        (b"PROXY TCP4  10.1.2.3 10.9.9.9 4242 104\r\n", "two addresses"),
        (b"PROXY TCP4 fd00::7 fd00::1 4242 104\r\n", "no address"),
        (b"PROXY TCP4 010.1.2.3 10.9.9.9 4242 104\r\n", "no address"),
        (b"PROXY TCP4 pacs 10.9.9.9 4242 104\r\n", "no address"),
        (b"PROXY TCP4 10.1.2.3 10.9.9.9 65536 104\r\n", "no port"),
        (b"PROXY TCP4 10.1.2.3 10.9.9.9 -1 104\r\n", "no port"),
        ("PROXY TCP4 10.1.2.3 10.9.9.9 ٤ 104\r\n".encode(), "no port"),
        (block(0x11, 0x11, V4), "version and command are 0x11"),
        (block(0x22, 0x11, V4), "version and command are 0x22"),
        (block(0x21, 0x12, V4), "family 0x12"),
        (block(0x21, 0x31, bytes(216)), "family 0x31"),
        (block(0x21, 0x11, V4[:11]), "names no sender"),
        (block(0x21, 0x21, V4), "names no sender"),
        (block(0x21, 0x11, b"", LONGEST_BLOCK + 1), "longer than 4096"),
        (block(0x21, 0x11, b"", 65535), "longer than 4096"),
    ],
)
def test_everything_else_is_refused_with_why(header: bytes, sentence: str) -> None:
    read, _ = reader(header + bytes(300))
    with pytest.raises(BadProxyHeader, match=sentence):
        read_sender(read)


def test_it_is_told_from_a_pdu_and_from_tls() -> None:
    assert begins_header(b"PROXY TCP4")
    assert begins_header(block(0x20, 0, b""))
    assert not any(map(begins_header, (b"", b"PROX", b"\x01\x00\x00\x00", b"\x16\x03\x01", SIGNATURE[:-1])))


def test_no_bytes_do_more_than_refuse() -> None:
    dice, refused = random.Random(3), 0
    for _ in range(3000):
        start = dice.choice([SIGNATURE, b"PROXY ", b"PROXY TCP4 ", b""])
        read, _ = reader(start + dice.randbytes(dice.randrange(60)))
        try:
            read_sender(read)
        except (BadProxyHeader, Ended):
            refused += 1
    assert refused > 2900
