"""A peer made of bytes: PDUs as PS3.8 9.3 draws them, so that a test may also draw them wrong."""

import socket
import struct
import time
from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.sop_class import Verification

CONTEXTS = ((1, Verification, ImplicitVRLittleEndian), (3, CTImageStorage, ExplicitVRLittleEndian))
RELEASE_RQ = struct.pack(">BxIxxxx", 5, 4)
RELEASE_RP = struct.pack(">BxIxxxx", 6, 4)
ABORT = struct.pack(">BxIxxBB", 7, 4, 0, 0)


def item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def associate_rq(called: str = "SEGNODE", calling: str = "SCANNER", contexts=CONTEXTS, version: int = 1,
                 longest: int = 16384) -> bytes:  # fmt: skip
    proposed = b"".join(
        item(0x20, struct.pack(">Bxxx", number) + item(0x30, abstract.encode()) + item(0x40, syntax.encode()))
        for number, abstract, syntax in contexts
    )
    user = item(0x51, struct.pack(">I", longest)) + item(0x52, b"1.2.3.4")
    body = struct.pack(">Hxx16s16s32x", version, called.encode().ljust(16), calling.encode().ljust(16))
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + proposed + item(0x50, user)
    return struct.pack(">BxI", 1, len(body)) + body


def p_data(*fragments: tuple[int, int, bytes]) -> bytes:
    """(context, message control header, bytes) each; the header's bits: 1 command, 2 last (PS3.8 E.2)."""
    body = b"".join(struct.pack(">IBB", len(data) + 2, context, control) + data for context, control, data in fragments)
    return struct.pack(">BxI", 4, len(body)) + body


def command(**elements) -> bytes:
    data = Dataset()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    buffer = DicomBytesIO()
    buffer.is_little_endian = buffer.is_implicit_VR = True
    write_dataset(buffer, data)
    body = buffer.getvalue()
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def echo_rq(message_id: int = 1) -> bytes:
    return command(
        AffectedSOPClassUID=Verification, CommandField=0x0030, MessageID=message_id, CommandDataSetType=0x0101
    )


def store_rq(instance: str | None, message_id: int = 1, **elements) -> bytes:
    plain = {"AffectedSOPClassUID": CTImageStorage, "CommandField": 0x0001, "MessageID": message_id, "Priority": 0,
             "CommandDataSetType": 1, "AffectedSOPInstanceUID": instance}  # fmt: skip
    return command(**{name: value for name, value in (plain | elements).items() if value is not None})


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


class Wire:
    """A TCP connection to a node."""

    def __init__(self, port: int, timeout_s: float = 20.0, wrap=lambda connection: connection) -> None:
        self.socket = wrap(socket.create_connection(("127.0.0.1", port), timeout_s))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, *parts: bytes, pause_s: float = 0.0) -> None:
        for part in parts:
            self.socket.sendall(part)
            time.sleep(pause_s)

    def hear(self) -> bytes:
        """The next PDU, b"" where the connection has ended."""
        head = self._exactly(6)
        return head + self._exactly(int.from_bytes(head[2:], "big")) if len(head) == 6 else b""

    def hear_all(self) -> list[bytes]:
        """Every PDU up to the end of the connection."""
        return list(iter(self.hear, b""))

    def associated(self, **request):
        self.say(associate_rq(**request))
        assert self.hear()[:1] == b"\x02"
        return self

    def status(self) -> int:
        """Of the response that comes next."""
        return status_of(self.hear())

    def _exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            try:
                chunk = self.socket.recv(count - len(got))
            except ConnectionResetError:
                return b""
            if not chunk:
                return b""
            got += chunk
        return got


def status_of(pdu: bytes) -> int:
    at = pdu.index(struct.pack("<HHI", 0, 0x0900, 2))
    return struct.unpack_from("<H", pdu, at + 8)[0]


def said(pdus: Iterable[bytes]) -> list[tuple]:
    """PDUs in comparable form: the type, and what counts in it."""
    return [(pdu[0], pdu[6:10] if pdu[0] in (3, 6, 7) else pdu[6:]) for pdu in pdus]
