"""C-STORE on the straight way: from the connection's buffer to the data set, and the answer back, in one thread.

Nearly all that a receiver hears are P-DATA-TF PDUs of C-STORE requests. Where such a PDU holds just what a plain sender
puts there, its fragments are taken out of the buffer without PDU objects, queues or a second thread. What is plain is
decided a PDU at a time, before anything of it is taken: everything else stays in the buffer for pynetdicom, and a
request that had begun is handed over with what had come of it, so that the answer is pynetdicom's own.

Of pynetdicom's events only EVT_C_STORE is triggered here. PS3.7 6.3.1, 9.3.1; PS3.8 9.3.5, annex E.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pydicom.config import IGNORE  # what is plain has been looked at here
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.service_class import StorageServiceClass, attempt
from pynetdicom.sop_class import uid_to_service_class

from dicom_node.network.acceptor.connection import HEADER, P_DATA_TF, BufferedSocket
from dicom_node.network.acceptor.messages import COMMAND, LAST
from dicom_node.network.acceptor.spool import Spool

if TYPE_CHECKING:
    from dicom_node.network.acceptor.upper_layer import WaitingAssociation

FRAGMENT = struct.Struct(">IBB")  # length, context, message control header (PS3.8 9.3.5.1, E.2)
ELEMENT = struct.Struct("<HHI")  # group, element, length: commands are implicit little endian (PS3.7 6.3.1)
NO_DATA_SET = 0x0101
LONGEST_COMMAND = 1024  # of a plain request, in bytes
PLAIN_UID = re.compile(rb"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")
PLAIN_TITLE = re.compile(rb"[!-\[\]-~](?:[ -\[\]-~]*[!-\[\]-~])?")  # no backslash; spaces only within

_classes: dict[bytes, bool] = {}  # whether a SOP class is one of the Storage Service


@dataclass(slots=True)
class PlainRequest:
    """A C-STORE-RQ (PS3.7 table 9.3-1) as EVT_C_STORE sees it, under the names that pynetdicom gives its parameters."""

    command: bytes  # as it came
    context_id: int
    MessageID: int
    Priority: int
    AffectedSOPClassUID: UID
    AffectedSOPInstanceUID: UID
    MoveOriginatorApplicationEntityTitle: str | None
    MoveOriginatorMessageID: int | None
    DataSet: Spool
    _dataset_path: None = None


Fragment = tuple[int, int, int, int]  # context, control, where the bytes begin and end


class StraightStores:
    """What of one acceptor's PDUs goes the straight way; lives in the state machine's thread."""

    def __init__(self, association: WaitingAssociation) -> None:
        self._association = association
        self._request: PlainRequest | None = None  # whose data set is coming in
        self.serving = False

    def take(self, connection: BufferedSocket) -> bool:
        """Take the plain PDUs at the head of the buffer, and serve what is whole; False where there was none."""
        taken = False
        while connection.holds_data and self._take_one(connection):
            taken = True
        if not taken and self._request is not None and connection.ready:
            self._hand_over()
        return taken

    def _take_one(self, connection: BufferedSocket) -> bool:
        with connection.peek() as pdu:
            fragments = fragments_of(pdu)
            if not fragments:
                return False
            request = self._request
            if request is None:
                request = self._begun(pdu, fragments.pop(0))
            if request is None or not _is_data(fragments):
                return False
            self._request = request
            for _, _, start, end in fragments:
                request.DataSet.write(pdu[start:end])
            whole = bool(fragments) and bool(fragments[-1][1] & LAST)
            size = HEADER.size + HEADER.unpack_from(pdu)[1]
        connection.drop(size)
        if whole:
            self._request = None
            self.serving = True
            try:
                self._serve(request)
            finally:
                self._association.dul._idle_timer.restart()  # before the other thread may look at it
                self.serving = False
        return True

    def _begun(self, pdu: memoryview, fragment: Fragment) -> PlainRequest | None:
        """The request that begins with this fragment; None where it is none, or not plain, or not its turn."""
        context_id, control, start, end = fragment
        association = self._association
        if association.dimse.message is not None or not association.is_at_leisure:
            return None  # one that came before is being put together, or served
        if control & 3 != COMMAND | LAST or end - start > LONGEST_COMMAND:
            return None
        context = association._accepted_cx.get(context_id)
        if context is None or association.acceptor.accepted_common_extended:
            return None
        return read_request(bytes(pdu[start:end]), context_id, association.dimse.new_spool)

    def _hand_over(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            self._association.dimse.adopt(request.context_id, request.command, request.DataSet)

    def _serve(self, request: PlainRequest) -> None:
        """As pynetdicom's Storage Service Class does it."""
        association = self._association
        context = association._accepted_cx[request.context_id]
        with _Attempt(request, association) as tried:
            tried.error_msg, tried.error_status = "a C-STORE request could not be served", 0xC211
            what = {"request": request, "context": context.as_tuple}
            status: Any = evt.trigger(association, evt.EVT_C_STORE, what)
        if not tried.success or not association.is_established:
            return
        if type(status) is int and 0 <= status <= 0xFFFF:
            pdu = response(request, status)
            most = association.requestor.maximum_length
            fits = not most or len(pdu) - HEADER.size <= most
            if fits and association.dul.to_provider_queue.empty():  # …else an abort of ours, which goes first
                association.dul.socket.send(pdu)
                return
        answer = StorageServiceClass(association).validate_status(status, _answer(request))
        association.dimse.send_msg(answer, request.context_id)


class _Attempt(attempt):
    """pynetdicom's, which answers for a handler that fails; the answer is made only then."""

    def __init__(self, request: PlainRequest, association: WaitingAssociation) -> None:
        super().__init__(C_STORE(), association.dimse, request.context_id, association)
        self._request = request

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is not None:
            self._rsp = _answer(self._request)
        return super().__exit__(kind, error, trace)


def fragments_of(pdu: memoryview) -> list[Fragment]:
    """The fragments of the whole P-DATA-TF at the start of `pdu`; none where they do not fill it."""
    end = HEADER.size + HEADER.unpack_from(pdu)[1]
    found: list[Fragment] = []
    at = HEADER.size
    while at + FRAGMENT.size <= end:
        length, context_id, control = FRAGMENT.unpack_from(pdu, at)
        start, at = at + FRAGMENT.size, at + 4 + length
        if length < 2 or at > end:
            return []
        found.append((context_id, control, start, at))
    return found if at == end else []


def _is_data(fragments: list[Fragment]) -> bool:
    """Whether all are of a data set, which ends with the last of them or goes on."""
    return all(not control & COMMAND for _, control, _, _ in fragments) and all(
        not control & LAST for _, control, _, _ in fragments[:-1]
    )


def read_request(command: bytes, context_id: int, new_spool: Any) -> PlainRequest | None:
    """A C-STORE-RQ out of its command set; None where it is another, or says anything that is not plain."""
    values = elements_of(command, PLAIN_ELEMENTS)
    if values is None or values.get(0x0100) != b"\x01\x00":
        return None
    numbers = [values.get(element, b"") for element in (0x0110, 0x0700, 0x0800)]
    if any(len(value) != 2 for value in numbers):
        return None
    message_id, priority, has_data = (int.from_bytes(value, "little") for value in numbers)
    sop_class, instance = _uid(values.get(0x0002, b"")), _uid(values.get(0x1000, b""))
    originator, of_message = values.get(0x1030), values.get(0x1031)
    if priority > 2 or has_data == NO_DATA_SET or not sop_class or not instance or not _is_storage(sop_class):
        return None
    if originator is not None:
        originator = originator.strip(b" ")
        if len(originator) > 16 or not PLAIN_TITLE.fullmatch(originator):
            return None
    if of_message is not None and len(of_message) != 2:
        return None
    return PlainRequest(
        command, context_id, message_id, priority, UID(sop_class.decode(), IGNORE), UID(instance.decode(), IGNORE),
        originator.decode() if originator else None,
        int.from_bytes(of_message, "little") if of_message else None, new_spool(),
    )  # fmt: skip


PLAIN_ELEMENTS = frozenset({0x0000, 0x0002, 0x0100, 0x0110, 0x0700, 0x0800, 0x1000, 0x1030, 0x1031})


def elements_of(command: bytes, known: frozenset[int] | None) -> dict[int, bytes] | None:
    """The values of a command set by element number; None where they are out of order, or not all `known`."""
    values: dict[int, bytes] = {}
    at, last = 0, -1
    while at < len(command):
        if len(command) - at < ELEMENT.size:
            return None
        group, element, length = ELEMENT.unpack_from(command, at)
        start, at = at + ELEMENT.size, at + ELEMENT.size + length
        if group or element <= last or at > len(command) or (known is not None and element not in known):
            return None
        values[element], last = command[start:at], element
    return values


def _uid(value: bytes) -> bytes:
    """A UID without its padding; nothing where it is none by the letter (PS3.5 9.1)."""
    uid = value[:-1] if value.endswith(b"\0") else value
    return uid if len(uid) <= 64 and PLAIN_UID.fullmatch(uid) else b""


def _is_storage(sop_class: bytes) -> bool:
    known = _classes.get(sop_class)
    if known is None:
        known = uid_to_service_class(sop_class.decode()) is StorageServiceClass
        if len(_classes) < 1000:
            _classes[sop_class] = known
    return known


def _answer(request: PlainRequest) -> C_STORE:
    answer = C_STORE()
    answer.MessageID = answer.MessageIDBeingRespondedTo = request.MessageID
    answer.AffectedSOPInstanceUID = request.AffectedSOPInstanceUID
    answer.AffectedSOPClassUID = request.AffectedSOPClassUID
    return answer


def response(request: PlainRequest, status: int) -> bytes:
    """The PDU with the C-STORE-RSP (PS3.7 table 9.3-2): the same bytes that pynetdicom makes."""
    command = as_command(
        (0x0002, padded(request.AffectedSOPClassUID)),
        (0x0100, b"\x01\x80"),
        (0x0120, request.MessageID.to_bytes(2, "little")),
        (0x0800, NO_DATA_SET.to_bytes(2, "little")),
        (0x0900, status.to_bytes(2, "little")),
        (0x1000, padded(request.AffectedSOPInstanceUID)),
    )
    fragment = FRAGMENT.pack(len(command) + 2, request.context_id, COMMAND | LAST) + command
    return HEADER.pack(P_DATA_TF, len(fragment)) + fragment


def as_command(*elements: tuple[int, bytes]) -> bytes:
    """A command set of these elements, with its group length."""
    body = b"".join(ELEMENT.pack(0, element, len(value)) + value for element, value in elements)
    return ELEMENT.pack(0, 0, 4) + len(body).to_bytes(4, "little") + body


def padded(uid: str) -> bytes:
    """A UID of even length (PS3.5 9.1)."""
    return uid.encode() + b"\0" * (len(uid) % 2)
