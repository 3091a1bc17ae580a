"""Many C-STOREs over one association, as its user: bytes go as they are, and nothing polls while an answer is awaited.

pynetdicom negotiates; then its two threads end, and the connection is ours alone until the release. What is said on it
is little: requests of ours, a response to each, and an end from either side (PS3.7 9.1.1, PS3.8 9.2.2).
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom.association import Association

from dicom_node.network.acceptor.connection import HEADER, P_DATA_TF
from dicom_node.network.acceptor.messages import COMMAND, LAST, MAX_COMMAND_BYTES
from dicom_node.network.acceptor.straight import FRAGMENT, as_command, elements_of, fragments_of, padded

log = logging.getLogger(__name__)

RELEASE_RQ = HEADER.pack(0x05, 4) + bytes(4)
RELEASE_RP = HEADER.pack(0x06, 4) + bytes(4)
ABORT = HEADER.pack(0x07, 4) + bytes(4)  # by the service user (PS3.8 9.3.8)
LONGEST_PDU = 1 << 20  # that a peer may say; responses are some hundred bytes
BLOCK = 1 << 20  # bytes that go to the system at once
WITH_DATA_SET = b"\x01\x00"  # any value but 0x0101
USUAL_FRAGMENT = 1 << 17  # where the peer sets no bound


class AssociationLost(Exception):
    """The peer ended the association, fell silent, or said what makes no sense here."""


@dataclass(frozen=True)
class Answer:
    """A C-STORE-RSP: Status (0000,0900) and Error Comment (0000,0902)."""

    status: int
    comment: str = ""


class Courier:
    """Takes over an established association; `close` it in the end, or leave a `with`."""

    def __init__(self, association: Association) -> None:
        self._association = association
        self._contexts = {
            (context.abstract_syntax, context.transfer_syntax[0]): context.context_id
            for context in association.accepted_contexts
        }
        most = association.acceptor.maximum_length or USUAL_FRAGMENT
        self._fragment = max(2, (min(most, USUAL_FRAGMENT) - FRAGMENT.size) // 2 * 2)  # even (PS3.8 annex E.1)
        self._connection = _taken_over(association)
        self._heard = bytearray()
        self._asked = b""  # Message ID of what was sent last
        self._answer_s = association.dimse_timeout
        self._release_s = association.acse_timeout

    def accepts(self, sop_class: UID, syntax: UID) -> bool:
        """Whether a context for these was accepted."""
        return (sop_class, syntax) in self._contexts

    def send(self, message_id: int, sop_class: UID, instance: UID, syntax: UID, data: Iterable[bytes]) -> None:
        """Send one request; `data` is its encoded data set in pieces, of which all but the last are of even length.

        AssociationLost where the peer does not take it.
        """
        context_id = self._contexts[sop_class, syntax]
        self._asked = struct.pack("<H", message_id)
        out = bytearray(self._pdu(context_id, COMMAND | LAST, _request(message_id, sop_class, instance)))
        waiting = b""
        for piece in data:
            if waiting:
                self._add(out, context_id, waiting, last=False)
            waiting = piece
        self._add(out, context_id, waiting, last=True)
        self._say(out)

    def answer(self) -> Answer:
        """The response to what was sent last; AssociationLost where there is none in time, or one to something else."""
        command = bytearray()
        while True:
            kind, pdu = self._hear(self._answer_s)
            if kind != P_DATA_TF:
                raise self._lost(kind)
            fragments = fragments_of(memoryview(pdu))
            if not fragments:
                raise self._abort("fragments that do not fill their PDU")
            for _, control, start, end in fragments:
                if not control & COMMAND or len(command) + end - start > MAX_COMMAND_BYTES:
                    raise self._abort("data where a response is due")
                command += pdu[start:end]
                if control & LAST:
                    return self._read(bytes(command))

    def close(self) -> None:
        """Release the association, or just hang up where the peer does not answer that."""
        try:
            self._say(bytearray(RELEASE_RQ))
            while self._hear(self._release_s)[0] == P_DATA_TF:
                log.debug("a peer says something after it was told that we go")
        except AssociationLost:
            log.debug("a peer was gone before the release")
        self._hang_up()

    def _add(self, out: bytearray, context_id: int, piece: bytes, *, last: bool) -> None:
        view = memoryview(piece)
        for start in range(0, len(view) or 1, self._fragment):
            part = view[start : start + self._fragment]
            ends = last and start + self._fragment >= len(view)
            out += HEADER.pack(P_DATA_TF, len(part) + FRAGMENT.size)
            out += FRAGMENT.pack(len(part) + 2, context_id, LAST if ends else 0)
            out += part
            if len(out) >= BLOCK:
                self._say(out)

    def _pdu(self, context_id: int, control: int, content: bytes) -> bytes:
        head = FRAGMENT.pack(len(content) + 2, context_id, control)
        return HEADER.pack(P_DATA_TF, len(head) + len(content)) + head + content

    def _say(self, out: bytearray) -> None:
        try:
            self._connection.settimeout(self._answer_s)
            self._connection.sendall(out)
        except OSError as error:
            self._hang_up()
            raise AssociationLost(f"the connection broke ({type(error).__name__})") from error
        out.clear()

    def _hear(self, limit_s: float | None) -> tuple[int, bytes]:
        """The next PDU: its type, and all of it."""
        self._fill(HEADER.size, limit_s)
        kind, length = HEADER.unpack_from(self._heard)
        if length > LONGEST_PDU:
            raise self._abort("a PDU longer than any that is due")
        self._fill(HEADER.size + length, limit_s)
        pdu = bytes(self._heard[: HEADER.size + length])
        del self._heard[: HEADER.size + length]
        return kind, pdu

    def _fill(self, size: int, limit_s: float | None) -> None:
        self._connection.settimeout(limit_s)
        while len(self._heard) < size:
            try:
                piece = self._connection.recv(65536)
            except TimeoutError:
                raise self._abort("no answer in time") from None
            except OSError as error:
                self._hang_up()
                raise AssociationLost(f"the connection broke ({type(error).__name__})") from error
            if not piece:
                self._hang_up()
                raise AssociationLost("the connection was closed")
            self._heard += piece

    def _read(self, command: bytes) -> Answer:
        values = elements_of(command, None)
        status = (values or {}).get(0x0900, b"")
        if values is None or values.get(0x0100) != b"\x01\x80" or len(status) != 2:
            raise self._abort("no response to a C-STORE")
        if values.get(0x0120) != self._asked:
            raise self._abort("a response to another request")
        comment = values.get(0x0902, b"").decode("latin-1").strip(" \0")
        return Answer(int.from_bytes(status, "little"), comment)

    def _lost(self, kind: int) -> AssociationLost:
        """What a PDU other than P-DATA-TF means here."""
        if kind == 0x05:
            self._say(bytearray(RELEASE_RP))
        elif kind != 0x07:
            return self._abort(f"a PDU of type {kind} where a response is due")
        self._hang_up()
        return AssociationLost("the peer released the association" if kind == 0x05 else "the peer aborted")

    def _abort(self, reason: str) -> AssociationLost:
        try:
            self._connection.settimeout(1.0)
            self._connection.sendall(ABORT)
        except OSError:
            log.debug("a peer was gone before it was told of the abort")
        self._hang_up()
        return AssociationLost(reason)

    def _hang_up(self) -> None:
        self._association.is_established = False
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("the peer closed first")
        self._connection.close()


def _taken_over(association: Association) -> socket.socket:
    """The association's connection, when pynetdicom's threads have let go of it; AssociationLost where it has ended."""
    association._kill = True  # first this one, which would take the other's end for the association's
    association.join()
    association.dul.kill_dul()
    association.dul.join()
    held = association.dul.socket
    connection: socket.socket | None = held.socket if held is not None else None
    if connection is None or association.dul.state_machine.current_state != "Sta6" or not association.is_established:
        if connection is not None:
            connection.close()
        association.is_established = False
        raise AssociationLost("the peer ended the association as soon as it was there")
    return connection


def _request(message_id: int, sop_class: UID, instance: UID) -> bytes:
    """A C-STORE-RQ of low priority (PS3.7 table 9.3-1)."""
    return as_command(
        (0x0002, padded(sop_class)),
        (0x0100, b"\x01\x00"),
        (0x0110, struct.pack("<H", message_id)),
        (0x0700, b"\x02\x00"),
        (0x0800, WITH_DATA_SET),
        (0x1000, padded(instance)),
    )
