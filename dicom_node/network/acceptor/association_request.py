"""An A-ASSOCIATE-RQ in the words that pynetdicom reads, where it ends what an acceptor is to take (PS3.8 9.3.1, 9.3.2).

Items of a type that the standard does not know are skipped, of the protocol's versions only the first one's bit is
looked at, and an AE title that its sender has filled up with NUL ends there, as it does for DCMTK.
"""

from __future__ import annotations

import struct

HEAD = struct.Struct(">BxIHxx16s16s32s")  # type, length, protocol version, called and calling AE title
ITEM = struct.Struct(">BxH")  # type, length
ASSOCIATE_RQ = 0x01
VERSION_1 = 1
KNOWN = frozenset({0x10, 0x20, 0x50})  # application context, presentation context, user information
# What stands in these: behind how many bytes items of which types.
WITHIN = {0x20: (4, frozenset({0x30, 0x40})), 0x50: (0, frozenset(range(0x51, 0x5A)))}


def as_it_is_meant(request: bytes) -> bytes:
    """The request, which came whole; as it came where an item of it is cut off."""
    try:
        kind, _, version, called, calling, reserved = HEAD.unpack_from(request)
        items = _known(request[HEAD.size :], KNOWN)
    except struct.error:
        return request
    titles = (title.partition(b"\0")[0].ljust(16) for title in (called, calling))
    return HEAD.pack(kind, HEAD.size - 6 + len(items), version & VERSION_1, *titles, reserved) + items


def _known(items: bytes, known: frozenset[int]) -> bytes:
    """Those of a known type, and within them the same; struct.error where one is cut off."""
    found, at = bytearray(), 0
    while at < len(items):
        kind, length = ITEM.unpack_from(items, at)
        content = items[at + ITEM.size : at + ITEM.size + length]
        at += ITEM.size + length
        if at > len(items):
            raise struct.error("an item is cut off")
        if kind in known:
            skipped, types = WITHIN.get(kind, (length, frozenset()))
            content = content[:skipped] + _known(content[skipped:], types)
            found += ITEM.pack(kind, len(content)) + content
    return bytes(found)
