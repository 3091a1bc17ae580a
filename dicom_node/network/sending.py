"""Part 10 files on their way to a peer: their bytes go as they lie, the next file is read while an answer is awaited.

Only where a peer does not take a plain (uncompressed little endian) file in its own syntax, but in the other plain one,
is it written anew on the way. Nothing is ever decompressed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.dsutils import encode, split_dataset

from dicom_node.errors import Refused, Unfinished
from dicom_node.network import proposals
from dicom_node.network.courier import AssociationLost, Courier
from dicom_node.network.discretion import discreet
from dicom_node.network.peer import Peer
from dicom_node.network.statuses import NOT_NEGOTIATED, Status, meaning_of

PIECE = 4 << 20  # bytes of a file that are held at a time


@dataclass(frozen=True)
class Outgoing:
    """A file to send, and what its file meta information says of it."""

    path: Path
    sop_class_uid: UID
    sop_instance_uid: UID
    transfer_syntax: UID
    begins_at: int = 0  # where the data set does

    @classmethod
    def of(cls, path: Path) -> Outgoing:
        """Read the meta information of a Part 10 file; `Refused` where there is none."""
        try:
            meta, begins_at = split_dataset(path)
            media = (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID)
            uids: tuple[UID, ...] = (*media, meta.TransferSyntaxUID)
        except (InvalidDicomError, AttributeError, EOFError, ValueError):
            uids, begins_at = (), 0
        if not uids or any(not uid or len(uid) > 64 for uid in uids):
            raise Refused("a file without valid DICOM file meta information cannot be sent")
        sop_class, sop_instance, syntax = uids
        return cls(path, sop_class, sop_instance, syntax, begins_at)

    @property
    def syntaxes(self) -> tuple[UID, ...]:
        """The transfer syntaxes that it can travel in, its own first."""
        return proposals.syntaxes_of(self.transfer_syntax)

    def pieces(self, syntax: UID) -> Iterator[bytes]:
        """Its data set in `syntax`, one of `syntaxes`; as it lies where that is its own."""
        if syntax != self.transfer_syntax:
            yield _written_anew(self.path, syntax)
            return
        with self.path.open("rb") as file:
            file.seek(self.begins_at)
            while piece := file.read(PIECE):
                padding = len(piece) % 2 and syntax == DeflatedExplicitVRLittleEndian  # as it should end (PS3.5 A.5)
                yield piece + b"\0" if padding else piece


def store_all(
    association: Association | None, items: Sequence[Outgoing], peer: Peer
) -> Iterator[tuple[Outgoing, Status]]:
    """Send `items` over an association that is given up with it; each with its answer, as that comes.

    `Unfinished` where the association ends before the last answer.
    """
    if association is None:
        yield from ((item, NOT_NEGOTIATED) for item in items)
        return
    try:
        courier = Courier(association)
    except AssociationLost as lost:
        raise Unfinished(f"{peer} ended the association before the last instance was sent") from lost
    try:
        yield from _answers(courier, items, peer)
    finally:
        courier.close()


def _answers(courier: Courier, items: Sequence[Outgoing], peer: Peer) -> Iterator[tuple[Outgoing, Status]]:
    ready = _Ready(courier, items[0])
    for number, (item, following) in enumerate(zip(items, (*items[1:], None), strict=True), start=1):
        now, syntax = ready, ready.syntax
        try:
            if syntax is not None:
                uids = (item.sop_class_uid, item.sop_instance_uid, syntax)
                courier.send(number % 65536, *uids, now.pieces)
            if following is not None:
                ready = _Ready(courier, following)  # while the peer stores what it got
            answer = courier.answer() if syntax is not None else None
        except AssociationLost as lost:
            raise Unfinished(f"{peer} did not answer a C-STORE: {lost}") from lost
        if answer is None:
            yield item, NOT_NEGOTIATED
        else:
            yield item, meaning_of(answer.status, discreet(answer.comment, item.path))


class _Ready:
    """The next to go: its syntax, where the peer takes one of its own, and its bytes, of which the first are read."""

    def __init__(self, courier: Courier, item: Outgoing) -> None:
        accepted = (syntax for syntax in item.syntaxes if courier.accepts(item.sop_class_uid, syntax))
        self.syntax = next(accepted, None)  # its own, where the peer takes that
        self.pieces: Iterator[bytes] = iter(())
        if self.syntax is not None:
            pieces = item.pieces(self.syntax)
            self.pieces = chain((next(pieces, b""),), pieces)


def _written_anew(path: Path, syntax: UID) -> bytes:
    """The data set of a plain file in another plain syntax."""
    encoded = encode(dcmread(path), syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    if encoded is None:
        raise Refused("a file whose data set cannot be encoded cannot be sent")
    return encoded
