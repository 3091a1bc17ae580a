"""Storage commitment on the wire (PS3.4 J, Push Model): requests and reports as data sets, and how they are sent.

Who asks opens an association and sends N-ACTION. The report, N-EVENT-REPORT, comes back on that one or on one
that the peer opens in its role as provider (PS3.7 D.3.3.4).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from dicom_node.errors import CommitmentRefused, NotOffered, Refused, Unreachable
from dicom_node.network import proposals
from dicom_node.network.client import open_association
from dicom_node.network.headers.elements import PARSE_FAULTS, items_of, value_of
from dicom_node.network.peer import Peer
from storage.errors import BadIdentifier
from storage.identifiers import check_uid
from storage.leaving.holdings import PROCESSING_FAILURE
from storage.records import CommitmentReport, Reference

REQUEST = 1  # Action Type ID (PS3.4 J.3.2)
COMPLETE, FAILURES = 1, 2  # Event Type ID (PS3.4 J.3.3)
MAX_REFERENCES = 20_000
MAX_BYTES = 4 * 1024 * 1024  # such a request with the longest UIDs
ITEM = b"\xfe\xff\x00\xe0"  # an item's tag, little endian

SUCCESS = 0x0000
NO_SUCH_SOP_INSTANCE = 0x0112
NO_SUCH_EVENT_TYPE = 0x0113
INVALID_ARGUMENT = 0x0115
NO_SUCH_ACTION = 0x0123
UNRECOGNISED_OPERATION = 0x0211  # none of those that were agreed upon (PS3.7 10.1.4.1.10)
RESOURCE_LIMITATION = 0x0213
PASSING = frozenset({0x0110, RESOURCE_LIMITATION})

Heard = Callable[[str, CommitmentReport], bool]  # keeps a report by its Transaction UID; False where it is not ours


def request_dataset(transaction_uid: str, references: Sequence[Reference]) -> Dataset:
    """The action's information (PS3.4 Table J.3-1)."""
    data = Dataset()
    data.TransactionUID = transaction_uid
    data.ReferencedSOPSequence = [_item(reference) for reference in references]
    return data


def report_dataset(transaction_uid: str, references: Sequence[Reference], report: CommitmentReport) -> Dataset:
    """The event's information (PS3.4 Table J.3-2); a sequence without an item is left out."""
    data = Dataset()
    data.TransactionUID = transaction_uid
    committed = set(report.committed)
    kept = [_item(reference) for reference in references if reference.sop_instance_uid in committed]
    failed = []
    for reference in references:
        if reference.sop_instance_uid not in committed:
            item = _item(reference)
            item.FailureReason = report.failed.get(reference.sop_instance_uid) or PROCESSING_FAILURE
            failed.append(item)
    if kept:
        data.ReferencedSOPSequence = kept
    if failed:
        data.FailedSOPSequence = failed
    return data


def read_request(event: Event) -> tuple[str, list[Reference]]:
    """Transaction UID and instances of an N-ACTION; `CommitmentRefused` where it is none that can be answered."""
    request = event.request
    _check_service(event, request.RequestedSOPInstanceUID)
    if request.ActionTypeID != REQUEST:
        raise CommitmentRefused(NO_SUCH_ACTION, "an action other than a storage commitment request")
    data = _parse(request.ActionInformation, event)
    try:
        references = [_reference(item) for item in items_of(data, "ReferencedSOPSequence")]
    except PARSE_FAULTS:
        raise CommitmentRefused(INVALID_ARGUMENT, "an instance without valid UIDs") from None
    if not references:
        raise CommitmentRefused(INVALID_ARGUMENT, "no instance is named")
    return _transaction(data), references


def read_report(event: Event) -> tuple[str, CommitmentReport]:
    """Transaction UID and content of an N-EVENT-REPORT; `CommitmentRefused` where it cannot be understood."""
    request = event.request
    _check_service(event, request.AffectedSOPInstanceUID)
    if request.EventTypeID not in (COMPLETE, FAILURES):
        raise CommitmentRefused(NO_SUCH_EVENT_TYPE, "an event other than a storage commitment report")
    data = _parse(request.EventInformation, event)
    try:
        committed = tuple(_reference(item).sop_instance_uid for item in items_of(data, "ReferencedSOPSequence"))
        failed = {_reference(item).sop_instance_uid: _reason(item) for item in items_of(data, "FailedSOPSequence")}
    except PARSE_FAULTS:
        raise CommitmentRefused(INVALID_ARGUMENT, "an instance without valid UIDs") from None
    return _transaction(data), CommitmentReport(committed, failed)


def take_report(event: Event, heard: Heard) -> tuple[int, None]:
    """Answer an N-EVENT-REPORT with its status; Success only when `heard` has kept it."""
    try:
        transaction_uid, report = read_report(event)
    except CommitmentRefused as refusal:
        return refusal.status, None
    return (SUCCESS if heard(transaction_uid, report) else INVALID_ARGUMENT), None


def ask(
    peer: Peer,
    calling_aet: str,
    transaction_uid: str,
    references: Sequence[Reference],
    *,
    heard: Heard,
    wait_s: float,
) -> None:
    """Ask `peer` to take responsibility; returns when it took the request, be it with the report or without.

    `heard` gets a report that comes within `wait_s` on the same association. `NotOffered` where the peer has no
    such service; `Refused` where it has and says no; `Unreachable` where trying again may help.
    """
    listener = _Listener(heard)
    handlers = [
        (evt.EVT_N_EVENT_REPORT, listener.report),
        (evt.EVT_PDU_SENT, listener.sent),
        (evt.EVT_CONN_CLOSE, listener.closed),
    ]
    with open_association(peer, calling_aet, proposals.commitment_request(), handlers=handlers) as association:
        if association is None:
            raise NotOffered(f"{peer} offers no storage commitment")
        information = request_dataset(transaction_uid, references)
        answer, _ = association.send_n_action(
            information, REQUEST, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        _check_answer(answer, peer, "a storage commitment request")
        listener.over.wait(wait_s)


def tell(
    peer: Peer, calling_aet: str, transaction_uid: str, references: Sequence[Reference], report: CommitmentReport
) -> None:
    """Send a report on a new association, as the service's provider; raises as `ask` does."""
    with open_association(peer, calling_aet, proposals.commitment_report()) as association:
        if association is None or not association.accepted_contexts[0].as_scp:
            raise NotOffered(f"{peer} takes no storage commitment report from us as its provider")
        answer, _ = association.send_n_event_report(
            report_dataset(transaction_uid, references, report),
            FAILURES if report.failed else COMPLETE,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
        _check_answer(answer, peer, "a storage commitment report")


class _Listener:
    """Waits for the report on our own association, and for our answer to it to leave."""

    def __init__(self, heard: Heard) -> None:
        self.over = threading.Event()
        self._heard = heard
        self._answering = False

    def report(self, event: Event) -> tuple[int, None]:
        answer = take_report(event, self._heard)
        self._answering = True
        return answer

    def sent(self, event: Event) -> None:
        if self._answering and isinstance(event.pdu, P_DATA_TF):
            self.over.set()

    def closed(self, _: Event) -> None:
        self.over.set()


def _item(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


def _check_service(event: Event, uid: UID | None) -> None:
    if event.context.abstract_syntax != StorageCommitmentPushModel:  # which may be withheld from this caller
        raise CommitmentRefused(UNRECOGNISED_OPERATION, "its presentation context is none of storage commitment")
    if uid != StorageCommitmentPushModelInstance:
        raise CommitmentRefused(NO_SUCH_SOP_INSTANCE, "not the well-known instance of storage commitment")


def _parse(information: BytesIO | None, event: Event) -> Dataset:
    data = information.getvalue() if information is not None else b""
    if len(data) > MAX_BYTES or data.count(ITEM) > MAX_REFERENCES:  # before any of it becomes objects
        raise CommitmentRefused(RESOURCE_LIMITATION, f"more than {MAX_REFERENCES} instances at once")
    syntax = UID(event.context.transfer_syntax)
    try:
        return read_dataset(BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian)
    except PARSE_FAULTS as error:
        raise CommitmentRefused(INVALID_ARGUMENT, f"cannot be parsed ({type(error).__name__})") from None


def _transaction(data: Dataset) -> str:
    try:
        return check_uid(str(value_of(data, "TransactionUID") or ""))
    except (*PARSE_FAULTS, BadIdentifier):
        raise CommitmentRefused(INVALID_ARGUMENT, "no valid Transaction UID") from None


def _reference(item: Dataset) -> Reference:
    uids = (value_of(item, "ReferencedSOPClassUID"), value_of(item, "ReferencedSOPInstanceUID"))
    try:
        return Reference(*(check_uid(str(uid or "")) for uid in uids))
    except BadIdentifier as wrong:
        raise ValueError("no UID") from wrong


def _reason(item: Dataset) -> int:
    value = value_of(item, "FailureReason")
    return value if isinstance(value, int) else PROCESSING_FAILURE


def _check_answer(answer: Dataset, peer: Peer, what: str) -> None:
    if "Status" not in answer:
        raise Unreachable(f"{peer} did not answer {what}")
    status = int(answer.Status)
    if status == SUCCESS or 0xB000 <= status <= 0xBFFF or status in (0x0001, 0x0107, 0x0116):
        return
    raise (Unreachable if status in PASSING else Refused)(f"{peer} answers {what} with 0x{status:04X}")
