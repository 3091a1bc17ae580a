"""Who calls through a balancer: the PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt).

A balancer writes one header before all that the sender says, TLS included. Nothing of it is believed but what a
balancer wrote that the settings name (balancers.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from dicom_node.errors import BadProxyHeader

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"  # of version 2
WORD = b"PROXY "  # of version 1
LONGEST_LINE = 107  # with its CRLF
LONGEST_BLOCK = 4096  # addresses and what may follow them; the protocol allows 65535, balancers send some hundred bytes
LOCAL, PROXY = 0x20, 0x21  # version and command
UNSPECIFIED, TCP4, TCP6 = 0x00, 0x11, 0x21

Read = Callable[[int], bytes]  # exactly so many bytes


@dataclass(frozen=True)
class Sender:
    """The connection's other end, as the balancer saw it."""

    address: str
    port: int


def begins_header(start: bytes | bytearray) -> bool:
    """Whether a connection that begins so begins with such a header: no PDU and no TLS does."""
    return start.startswith((SIGNATURE, WORD))


def read_sender(read: Read) -> Sender | None:
    """Read the header, and not a byte more; None where the balancer speaks for itself (a health check). BadProxyHeader.

    What `read` raises where less comes is the caller's.
    """
    start = read(len(SIGNATURE))
    if start == SIGNATURE:
        return _of_block(read)
    if start.startswith(WORD):
        return _of_line(start, read)
    raise BadProxyHeader("it does not begin with a header of the PROXY protocol")


def _of_line(start: bytes, read: Read) -> Sender | None:
    line = bytearray(start)
    while not line.endswith(b"\r\n"):
        if len(line) >= LONGEST_LINE:
            raise BadProxyHeader(f"its line is longer than {LONGEST_LINE} bytes")
        line += read(1)
    words = bytes(line[len(WORD) : -2]).split(b" ")
    if words[0] == b"UNKNOWN":
        return None
    kinds: dict[bytes, type[IPv4Address | IPv6Address]] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
    if words[0] not in kinds or len(words) != 5:
        raise BadProxyHeader("its line is not PROXY, TCP4 or TCP6, two addresses and two ports")
    source, _, port, _ = (word.decode("ascii", "replace") for word in words[1:])
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 0xFFFF):
        raise BadProxyHeader("its line names no port")
    try:
        return Sender(str(kinds[words[0]](source)), int(port))
    except ValueError as wrong:
        raise BadProxyHeader("its line names no address") from wrong


def _of_block(read: Read) -> Sender | None:
    command, family, *length = read(4)
    size = int.from_bytes(bytes(length), "big")
    if command not in (LOCAL, PROXY):
        raise BadProxyHeader(f"its version and command are {command:#04x}")
    if size > LONGEST_BLOCK:
        raise BadProxyHeader(f"its block of {size} bytes is longer than {LONGEST_BLOCK}")
    block = read(size)
    if command == LOCAL or family == UNSPECIFIED:
        return None
    if family == TCP4 and size >= 12:
        return Sender(str(IPv4Address(block[:4])), int.from_bytes(block[8:10], "big"))
    if family == TCP6 and size >= 36:
        return Sender(str(IPv6Address(block[:16])), int.from_bytes(block[32:34], "big"))
    raise BadProxyHeader(f"its block of {size} bytes names no sender by TCP (family {family:#04x})")
