"""C-STORE and C-ECHO as a user: files go as they lie on disk, and every instance's answer is kept.

Only where a peer does not take a plain (uncompressed little endian) file in its own syntax, but in the
other plain one, is it written anew on the way. Nothing is ever decompressed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType

from dicom_node.errors import PeerError, Refused, Unreachable
from dicom_node.network import proposals
from dicom_node.network.acceptor.checkpoint import Checkpoint
from dicom_node.network.association_answer import Answer
from dicom_node.network.contexts import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, MAX_CONTEXTS
from dicom_node.network.peer import Peer
from dicom_node.network.proposals import Proposed
from dicom_node.network.sending import Outgoing, store_all
from dicom_node.network.statuses import Status, Told
from dicom_node.network.tls.tls_dial import Dial

CONNECT_S = 10.0
ACSE_S = 30.0
ANSWER_S = 120.0  # an archive may take its time over a large object
MAX_PDU_BYTES = 16382  # that we take; most peers send no larger ones to a user


def send(
    files: Sequence[Path],
    peer: Peer,
    calling_aet: str = "SEGNODE",
    told: Told = lambda _: None,
) -> dict[str, Status]:
    """Send Part 10 files by C-STORE; answers by SOP instance UID, each as the peer gave it.

    `told` hears each answer as it comes.

    `Unreachable` where no association comes about for now, `Unfinished` where it ends before the last answer,
    `Rejected` where the peer will not have the association at all; each carries the answers until then.
    """
    statuses: dict[str, Status] = {}
    try:
        for batch in batches([Outgoing.of(path) for path in files]):
            asked = proposals.storage((item.sop_class_uid, item.transfer_syntax) for item in batch)
            with open_association(peer, calling_aet, asked) as association:
                for item, status in store_all(association, batch, peer):
                    statuses[item.sop_instance_uid] = status
                    told({str(item.sop_instance_uid): status})
    except PeerError as error:
        error.answers = {str(uid): str(status) for uid, status in statuses.items()}
        raise
    return statuses


def echo(peer: Peer, calling_aet: str = "SEGNODE") -> None:
    """C-ECHO; returns when the peer answers success, raises `Unreachable` or `Refused` otherwise."""
    with open_association(peer, calling_aet, proposals.verification()) as association:
        if association is None:
            raise Refused(f"{peer} does not offer C-ECHO")
        answer = association.send_c_echo()
    if "Status" not in answer:
        raise Unreachable(f"{peer} did not answer the C-ECHO")
    if answer.Status != 0:
        raise Refused(f"{peer} answers the C-ECHO with 0x{answer.Status:04X}")


def find_dicom(place: Path) -> list[Path]:
    """`place` itself where it is a Part 10 file, or all such files below it, sorted by path."""
    candidates = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    return [path for path in candidates if _has_magic(path)]


def batches(items: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Split `items`, in order, so that the contexts of each part fit one association."""
    batch: list[Outgoing] = []
    proposed: set[tuple[str, str]] = set()
    for item in items:
        needed = {(item.sop_class_uid, syntax) for syntax in item.syntaxes}
        if batch and len(proposed | needed) > MAX_CONTEXTS:
            yield batch
            batch, proposed = [], set()
        batch.append(item)
        proposed |= needed
    if batch:
        yield batch


@contextmanager
def open_association(
    peer: Peer,
    calling_aet: str,
    asked: Proposed,
    *,
    handlers: Sequence[EventHandlerType] = (),
    limit_s: float = ANSWER_S,
) -> Iterator[Association | None]:
    """An established association, or None where the peer accepts none of the contexts that are `asked` for.

    The peer may be silent for `limit_s` seconds at most, and for less where that is usual.
    """
    entity = AE(ae_title=calling_aet)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.maximum_pdu_size = MAX_PDU_BYTES
    entity.connection_timeout = min(CONNECT_S, limit_s)
    entity.acse_timeout = min(ACSE_S, limit_s)
    entity.dimse_timeout = min(ANSWER_S, limit_s)
    entity.network_timeout = min(ANSWER_S, limit_s)
    answer = Answer(peer, entity.acse_timeout)
    dial = Dial(peer) if peer.tls else None
    try:
        association = entity.associate(
            peer.host,
            peer.port,
            asked.contexts,
            ae_title=peer.ae_title,
            ext_neg=list(asked.roles),
            evt_handlers=[(evt.EVT_CONN_OPEN, _make_ready), *answer.handlers, *handlers],
            tls_args=dial.arguments if dial else None,
        )
    except OSError as error:  # the host's name has no address
        raise Unreachable(f"{peer}: {error.strerror or error}") from error
    if not association.is_established:
        if dial and not answer.came:
            dial.explain()
        answer.explain(association)
        yield None
        return
    answer.stop(association)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def _make_ready(event: Event) -> None:
    """No small PDU waits for the acknowledgement of the ones before (Nagle's algorithm), and no answer is mislaid."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    event.assoc._reactor_checkpoint = Checkpoint(event.assoc)


def _has_magic(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
