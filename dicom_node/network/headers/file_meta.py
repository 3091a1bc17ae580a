"""The head of a Part 10 file (PS3.10 7.1), written from what is known of its data set, without a Dataset."""

from __future__ import annotations

import struct

from dicom_node.network.contexts import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

PREAMBLE = bytes(128) + b"DICM"
SHORT = struct.Struct("<HH2sH")  # group, element, representation, length: explicit little endian (PS3.5 7.1.2)
VERSION = struct.pack("<HH2sxxI", 2, 0x0001, b"OB", 2) + b"\x00\x01"
SPACE, NUL = b" ", b"\0"


def file_head(sop_class: str, sop_instance: str, transfer_syntax: str, sender: str) -> bytes:
    """Preamble, prefix and file meta information; `sender` is the AE title that the instance came from."""
    elements = b"".join((
        VERSION,
        _element(0x0002, b"UI", sop_class, NUL),
        _element(0x0003, b"UI", sop_instance, NUL),
        _element(0x0010, b"UI", transfer_syntax, NUL),
        _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, NUL),
        _element(0x0013, b"SH", IMPLEMENTATION_VERSION, SPACE),
        _element(0x0016, b"AE", sender, SPACE),
    ))  # fmt: skip
    return PREAMBLE + SHORT.pack(2, 0, b"UL", 4) + struct.pack("<I", len(elements)) + elements


def _element(element: int, representation: bytes, text: str, padding: bytes) -> bytes:
    value = text.encode("latin-1", "replace")
    value += padding * (len(value) % 2)
    return SHORT.pack(2, element, representation, len(value)) + value
