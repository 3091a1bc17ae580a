"""Headers of the PROXY protocol as a balancer writes them, of a sender at 10.1.2.3:4242."""

from dicom_node.network.acceptor.proxy_protocol import SIGNATURE

V4 = bytes([10, 1, 2, 3, 10, 9, 9, 9]) + (4242).to_bytes(2, "big") + (104).to_bytes(2, "big")
V6 = bytes.fromhex("fd000000000000000000000000000007") * 2 + (4242).to_bytes(2, "big") + (104).to_bytes(2, "big")
LINE = b"PROXY TCP4 10.1.2.3 10.9.9.9 4242 104\r\n"


def block(command: int, family: int, body: bytes, size: int | None = None) -> bytes:
    """A header of version 2; `size` is what it says of its length where that is not the truth."""
    length = len(body) if size is None else size
    return SIGNATURE + bytes([command, family]) + length.to_bytes(2, "big") + body


BLOCK = block(0x21, 0x11, V4)
