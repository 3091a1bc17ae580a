"""What is sent to us: bytes as they came become a file, then a row, and only then Success.

What is refused is told by its status, and journalled in a transaction of its own. The pixels are not looked at.
By C-STORE an event comes in; whoever brings an instance on another way makes an `Offer` of it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO

from pynetdicom.events import Event

from dicom_node.counting import RECEIVED, RECEIVED_BYTES, REFUSED, Counts
from dicom_node.errors import BadDataset, DiskFull, NotNegotiated, OutOfResources, ReceiveError, UidMismatch
from dicom_node.network.acceptor.spool import Spool
from dicom_node.network.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES
from dicom_node.network.headers.file_meta import file_head
from dicom_node.network.headers.header import Header, read_header
from dicom_node.network.register import OpenAssociation, Register
from dicom_node.network.statuses import SUCCESS, UNFORESEEN, Outcome, answer_to, meaning_of
from storage.archive import Archive
from storage.database import Database, Transaction
from storage.errors import BadIdentifier, NoRoom, StorageError, Unavailable
from storage.records import REVIEWS, Arrival, Instance, InstanceKind, StoredFile
from storage.sql.together import Together

log = logging.getLogger(__name__)

# What is journalled of an instance that came again.
TOLD = {
    Arrival.CONFLICT: (
        "conflict", "with other content; both are kept, the first one counts until they have been compared"
    ),
    Arrival.REPLACED: ("outdated", "as it was before its correction; the correction stands"),
}  # fmt: skip
SENT_ALREADY = "its study is here already, sent by a peer; what is made of it goes its own way"


@dataclass(frozen=True)
class Offer:
    """One instance: what its C-STORE request or the head of its file says of it, and its data set as sent."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    content: BytesIO | None = field(repr=False)
    abstract_syntax: str = ""  # of the presentation context, where it came in one
    move_originator: str = ""  # who asked the sender for it by C-MOVE

    @cached_property
    def data(self) -> memoryview:
        """The data set; `BadDataset` where there is none, `OutOfResources` where not all of it could be taken."""
        if self.content is None:
            raise BadDataset("it came without a data set")
        if isinstance(self.content, Spool) and self.content.trouble:
            raise OutOfResources(self.content.trouble)
        return self.content.getbuffer()

    @property
    def sha256(self) -> str:
        """The digest of `data`; what came through a spool was digested on its way."""
        return self.content.sha256() if isinstance(self.content, Spool) else hashlib.sha256(self.data).hexdigest()


class Receiver:
    """Keeps what is sent. `device_uids` are our own (0018,1002): objects that bear one are results come back.

    Segmentations and reports are results by their SOP Instance UID alone, which the index knows: what a reader made of
    ours keeps the equipment that contributed to it (PS3.3 C.12.1), and is read as a review.
    `fetched`: all that comes answers a C-GET of ours; what answers our C-MOVE says so itself.
    """

    def __init__(  # noqa: PLR0913 (its parts, by name)
        self,
        database: Database,
        archive: Archive,
        register: Register,
        *,
        device_uids: frozenset[str] = frozenset(),
        fetched: bool = False,
        revision: int = 0,
        clock: Callable[[], float] = time.time,
        counts: Counts | None = None,
    ) -> None:
        self._counts = counts or Counts()
        self._fetched = fetched
        self._database = database
        self._together = Together(database)
        self._archive = archive
        self._register = register
        self._device_uids = device_uids
        self.revision = revision
        self._clock = clock

    def store(self, event: Event) -> int:
        """Answer one C-STORE request with its status."""
        return self.take(_offer(event), self._register.entry(event.assoc))

    def take(self, offer: Offer, association: OpenAssociation) -> int:
        """Keep one instance; the status says what became of it. Success is a promise that outlives a power cut."""
        header: Header | None = None
        try:
            header = _header_of(offer)
            _check_agreement(header, offer)
            with _storage_faults():
                self._check_is_new(header, association)
                arrival = self._keep(header, offer, association)
        except DiskFull as full:
            association.refused += 1
            association.last_refusal = str(full)
            self._counts.add(REFUSED, status=f"0x{answer_to(full):04X}")
            return answer_to(full)  # the clock journals the crossing: a line an instance would fill the disk for good
        except ReceiveError as error:
            return self._refuse(association, offer, header, answer_to(error), str(error))
        except Exception as error:  # noqa: BLE001 (no fault of ours may end an association)
            log.critical("unforeseen fault while receiving: %s", _where(error))  # its text may name the patient
            return self._refuse(association, offer, header, UNFORESEEN, f"unforeseen {type(error).__name__}")
        association.kept += 1
        association.last_study = header.study_instance_uid
        held = arrival is Arrival.DUPLICATE
        self._counts.add(RECEIVED, outcome="held" if held else "kept")
        self._counts.add(RECEIVED_BYTES, len(offer.data))
        association.arrivals.kept(header.study_instance_uid, header.study, offer.sop_class_uid, held=held)
        return SUCCESS

    def _keep(self, header: Header, offer: Offer, association: OpenAssociation) -> Arrival:
        uids = (header.study_instance_uid, header.sop_instance_uid)
        with self._together.coming():
            placed = self._archive.place(*uids, _chunks(offer, association), offer.sha256)
        instance = self._instance(header, offer, placed.file, association, self._clock())

        arrival = self._together.commit(lambda tx: self._index(tx, instance, header, association))
        placed.settle()  # a row whose name did not become durable is mended by recovery; its sender hears no Success
        association.noted = True
        return arrival

    def _index(self, tx: Transaction, instance: Instance, header: Header, association: OpenAssociation) -> Arrival:
        now = instance.received_at
        self._register.note(tx, association, now)
        arrival = tx.studies.add_instance(instance, header.study)
        self._archive.confirm(instance.file)
        self._note_by_hand(tx, instance, association, now)
        if arrival in TOLD:
            event, text = TOLD[arrival]
            tx.journal.add(
                now,
                event,
                f"instance {header.sop_instance_uid} came again from {association.calling_aet} {text}",
                study=header.study_instance_uid,
                series=header.series_instance_uid,
                revision=self.revision,
            )
        return arrival

    def _check_is_new(self, header: Header, association: OpenAssociation) -> None:
        """BadDataset where a person brings what is of a study that peers have sent."""
        if association.wanted_task is None:
            return
        with self._database.reading() as tx:
            study = tx.studies.find(header.study_instance_uid)
        if study is not None and study.calling_aets and not study.by_hand:
            raise BadDataset(SENT_ALREADY)

    def _note_by_hand(self, tx: Transaction, instance: Instance, association: OpenAssociation, now: float) -> None:
        """A person brings the study; or it was brought before, and now a peer sends it: the routes decide anew."""
        uid = instance.study_instance_uid
        if association.wanted_task is not None:
            if not tx.by_hand.take(uid, association.association_id, association.wanted_task):
                raise BadDataset(SENT_ALREADY)
        elif not instance.fetched and instance.kind is not InstanceKind.RESULT and tx.by_hand.end(
            uid, association.association_id
        ):
            tx.studies.reopen(uid, now)
            text = f"{association.calling_aet} sends what a person had brought: from now on it goes its own way"
            tx.journal.add(now, "let go", text, study=uid, revision=self.revision)

    def _instance(
        self, header: Header, offer: Offer, file: StoredFile, association: OpenAssociation, now: float
    ) -> Instance:
        kind = kind_of(header, self._device_uids)
        return Instance(
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            series_instance_uid=header.series_instance_uid,
            study_instance_uid=header.study_instance_uid,
            transfer_syntax_uid=offer.transfer_syntax_uid,
            kind=kind,
            file=file,
            received_at=now,
            association_id=association.association_id,
            header=header.facts,
            fetched=self._fetched or (offer.move_originator or None) == association.called_aet,
        )

    def _refuse(
        self, association: OpenAssociation, offer: Offer, header: Header | None, status: int, reason: str
    ) -> int:
        association.refused += 1
        association.last_refusal = reason
        self._counts.add(REFUSED, status=f"0x{status:04X}")
        study = header.study_instance_uid if header else ""
        association.arrivals.refused(
            study,
            header.study if header else {},
            offer.sop_class_uid,
            reason=f"0x{status:04X} {reason}",
            again=meaning_of(status).outcome is Outcome.TRY_AGAIN,
        )
        text = f"an instance from {association.calling_aet} was not kept, 0x{status:04X}: {reason}"
        log.warning("%s", text, extra={"study": study})
        try:
            with self._database.transaction() as tx:
                tx.journal.add(self._clock(), "refused", text, study=study, revision=self.revision)
        except StorageError as trouble:
            log.warning("refusal not journalled: %s", trouble)
        return status


def read_offer(offer: Offer) -> Header:
    """The header of an instance that would be taken; ReceiveError."""
    header = _header_of(offer)
    _check_agreement(header, offer)
    return header


def kind_of(header: Header, device_uids: frozenset[str] = frozenset()) -> InstanceKind:
    """What an instance means for its study, whose results these devices of ours make."""
    kind = STORAGE_CLASSES[header.sop_class_uid]
    return InstanceKind.RESULT if kind not in REVIEWS and device_uids & header.equipment_uids else kind


def _offer(event: Event) -> Offer:
    request = event.request
    return Offer(
        sop_class_uid=str(request.AffectedSOPClassUID),
        sop_instance_uid=str(request.AffectedSOPInstanceUID),
        transfer_syntax_uid=str(event.context.transfer_syntax),
        content=request.DataSet,
        abstract_syntax=str(event.context.abstract_syntax),
        move_originator=request.MoveOriginatorApplicationEntityTitle or "",
    )


def _header_of(offer: Offer) -> Header:
    """The header of what is offered, of a class and a syntax that is taken: by C-STORE, that was negotiated."""
    data = offer.data
    if offer.abstract_syntax not in ("", offer.sop_class_uid):  # storing may be withheld from this caller
        raise NotNegotiated("its presentation context was negotiated for another SOP class")
    if offer.sop_class_uid not in STORAGE_CLASSES:
        raise BadDataset("its SOP class is none that is taken")
    if offer.transfer_syntax_uid not in TRANSFER_SYNTAXES:
        raise BadDataset("its transfer syntax is none that is taken")
    return read_header(data, offer.transfer_syntax_uid)


def _chunks(offer: Offer, association: OpenAssociation) -> list[bytes | memoryview]:
    """The Part 10 file."""
    uids = (offer.sop_class_uid, offer.sop_instance_uid, offer.transfer_syntax_uid)
    return [file_head(*uids, association.calling_aet), offer.data]


def _check_agreement(header: Header, offer: Offer) -> None:
    """PS3.7 9.1.1.1 and PS3.10 7.1: class and instance of the request, or of the head, are those of the data set."""
    if header.sop_class_uid != offer.sop_class_uid:
        raise UidMismatch("the data set's SOP Class UID is not the one that it was sent under")
    if header.sop_instance_uid != offer.sop_instance_uid:
        raise UidMismatch("the data set's SOP Instance UID is not the one that it was sent under")


@contextmanager
def _storage_faults() -> Iterator[None]:
    """Storage's faults in the words of this package."""
    try:
        yield
    except NoRoom as full:
        raise DiskFull(str(full)) from full
    except Unavailable as trouble:
        raise OutOfResources(str(trouble)) from trouble
    except BadIdentifier as wrong:
        raise BadDataset(str(wrong)) from wrong


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
    return f"{type(error).__name__} at {place}"
