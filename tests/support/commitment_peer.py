"""A peer with storage commitment that does what a test tells it: archive, scanner, or a bad one of either."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, StoragePresentationContexts, build_context, build_role, evt
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    Verification,
)

from dicom_node.network.peer import Peer

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
Pair = tuple[str, str]


def item(pair: Pair, reason: int | None = None) -> Dataset:
    data = Dataset()
    data.ReferencedSOPClassUID, data.ReferencedSOPInstanceUID = pair
    if reason is not None:
        data.FailureReason = reason
    return data


def request(transaction_uid: str, pairs: Sequence[Pair]) -> Dataset:
    data = Dataset()
    data.TransactionUID = transaction_uid
    data.ReferencedSOPSequence = [item(pair) for pair in pairs]
    return data


def report(transaction_uid: str, kept: Sequence[Pair], failed: dict[Pair, int] | None = None) -> Dataset:
    data = Dataset()
    data.TransactionUID = transaction_uid
    if kept:
        data.ReferencedSOPSequence = [item(pair) for pair in kept]
    if failed:
        data.FailedSOPSequence = [item(pair, reason) for pair, reason in failed.items()]
    return data


@dataclass
class CommitmentPeer:
    """Listens while its `with` lasts. `reports_at_once`: on the same association, that everything is kept.

    With `stores` it is an archive too, and `kept` names the SOP instances that it got, in order, again and again.
    """

    ae_title: str = "ARCHIVE"
    answer: int = 0x0000  # to N-ACTION
    report_answer: int = 0x0000  # to N-EVENT-REPORT
    offers: bool = True
    reports_at_once: bool = False
    requests: list[Dataset] = field(default_factory=list)
    reports: list[tuple[int, Dataset]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # to our reports at once
    callers: list[tuple[str, str]] = field(default_factory=list)  # calling and called title of those who reported
    port: int = 0
    stores: bool = False
    kept: list[str] = field(default_factory=list)

    def __enter__(self) -> CommitmentPeer:
        entity = AE(ae_title=self.ae_title)
        entity.add_supported_context(Verification)
        if self.offers:
            entity.add_supported_context(StorageCommitmentPushModel, SYNTAXES, scu_role=True, scp_role=True)
        if self.stores:
            for context in StoragePresentationContexts:
                entity.add_supported_context(context.abstract_syntax, SYNTAXES)
        handlers = [
            (evt.EVT_N_ACTION, self._asked), (evt.EVT_N_EVENT_REPORT, self._told), (evt.EVT_C_STORE, self._stored)
        ]  # fmt: skip
        self._server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    @property
    def peer(self) -> Peer:
        return Peer(ae_title=self.ae_title, host="127.0.0.1", port=self.port)

    def ask(self, node: Peer, data: Dataset, *, stay_s: float = 0.0, action: int = 1) -> int:
        """Ask `node` by N-ACTION and stay for its report on the same association; its status."""
        handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, self._told)]
        entity = AE(ae_title=self.ae_title)
        association = entity.associate(
            node.host, node.port, [build_context(StorageCommitmentPushModel, SYNTAXES)], ae_title=node.ae_title,
            evt_handlers=handlers,
        )  # fmt: skip
        assert association.is_established
        status, _ = association.send_n_action(
            data, action, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        seen, deadline = len(self.reports), time.monotonic() + stay_s
        while time.monotonic() < deadline and len(self.reports) == seen:
            time.sleep(0.02)
        time.sleep(0.1 if stay_s else 0.0)  # our answer leaves
        association.release()
        return int(status.Status)

    def tell(self, node: Peer, data: Dataset, *, event: int | None = None, role: bool = True) -> int:
        """Report to `node` on an association of our own, in the provider's role or without a word on it; its status."""
        entity = AE(ae_title=self.ae_title)
        association = entity.associate(
            node.host, node.port, [build_context(StorageCommitmentPushModel, SYNTAXES)], ae_title=node.ae_title,
            ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)] if role else [],
        )  # fmt: skip
        assert association.is_established
        (context,) = association.accepted_contexts
        assert context.as_scp is role
        context._as_scp = True  # those who negotiate no role report all the same
        kind = event or (2 if "FailedSOPSequence" in data else 1)
        status, _ = association.send_n_event_report(
            data, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        association.release()
        return int(status.Status)

    def pairs_of(self, number: int = -1) -> list[Pair]:
        """The instances of a request that came."""
        items = self.requests[number].ReferencedSOPSequence
        return [(one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID) for one in items]

    def _stored(self, event: Any) -> int:
        self.kept.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def _asked(self, event: Any) -> tuple[int, None]:
        self.requests.append(event.action_information)
        if self.reports_at_once:
            threading.Thread(target=self._report_here, args=(event.assoc,)).start()
        return self.answer, None

    def _report_here(self, association: Any) -> None:
        time.sleep(0.1)
        data = report(self.requests[-1].TransactionUID, self.pairs_of())
        status, _ = association.send_n_event_report(
            data, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        if "Status" in status:  # else the node has died over it
            self.answers.append(int(status.Status))

    def _told(self, event: Any) -> tuple[int, None]:
        requestor = event.assoc.requestor
        self.reports.append((event.event_type, event.event_information))
        self.callers.append((requestor.ae_title, requestor.primitive.called_ae_title))
        return self.report_answer, None
