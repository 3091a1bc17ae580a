"""Our ear's side of storage commitment: peers ask us to keep (N-ACTION) and tell what they keep (N-EVENT-REPORT).

Both handlers only make durable what came, and answer Success after that; the pipeline does the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from pynetdicom import AE
from pynetdicom.events import Event
from pynetdicom.sop_class import StorageCommitmentPushModel

from dicom_node.errors import CommitmentRefused
from dicom_node.network.commitment import (
    INVALID_ARGUMENT,
    RESOURCE_LIMITATION,
    SUCCESS,
    UNRECOGNISED_OPERATION,
    read_request,
    take_report,
)
from dicom_node.network.contexts import PLAIN
from storage.database import Database
from storage.errors import StorageError
from storage.records import CommitmentReport

log = logging.getLogger(__name__)

PROCESSING_FAILURE = 0x0110
NOT_AUTHORISED = 0x0124
MAX_OPEN = 1000  # requests of one peer that are not answered yet

Mode = Literal["off", "own", "relay"]


def offer(entity: AE, mode: Mode) -> None:
    """Have it negotiated, in the peer's roles: our provider that reports, and our user where that is wanted.

    Who proposes no role is let in as a user all the same, since some providers report without proposing one.
    """
    entity.add_supported_context(StorageCommitmentPushModel, list(PLAIN), scu_role=mode != "off", scp_role=True)


@dataclass(frozen=True)
class CommitmentService:
    """Takes requests of `peers` (AE titles that we can call back) where `mode` is not off, and reports always."""

    database: Database
    mode: Mode = "off"
    peers: Collection[str] = ()
    revision: int = 0
    clock: Callable[[], float] = time.time

    def asked(self, event: Event) -> tuple[int, None]:
        """Answer an N-ACTION; Success when the request is kept and will be answered, whatever becomes of us."""
        requestor = event.assoc.requestor
        called = getattr(requestor.primitive, "called_ae_title", "") or event.assoc.ae.ae_title
        try:
            self._keep(event, requestor.ae_title, called)
        except CommitmentRefused as refusal:
            self._refuse(requestor.ae_title, refusal)
            return refusal.status, None
        except StorageError as trouble:
            log.warning("a commitment request of %s was not kept: %s", requestor.ae_title, trouble)
            return PROCESSING_FAILURE, None
        return SUCCESS, None

    def told(self, event: Event) -> tuple[int, None]:
        """Answer an N-EVENT-REPORT on what we asked of a destination, whoever of its titles sends it."""
        try:
            return take_report(event, self.heard)
        except StorageError as trouble:
            log.warning("a commitment report was not kept: %s", trouble)
            return PROCESSING_FAILURE, None

    def heard(self, transaction_uid: str, report: CommitmentReport) -> bool:
        """Keep a report; False where we made no such request."""
        with self.database.transaction() as tx:
            return tx.commitments.report(transaction_uid, report, self.clock())

    def _keep(self, event: Event, peer_aet: str, called_aet: str) -> None:
        if self.mode == "off":
            raise CommitmentRefused(UNRECOGNISED_OPERATION, "commitment.service is off")
        if peer_aet not in self.peers:
            raise CommitmentRefused(NOT_AUTHORISED, "its AE title is under neither peers nor destinations")
        transaction_uid, references = read_request(event)
        now = self.clock()
        with self.database.transaction() as tx:
            if tx.promises.open_of(peer_aet) >= MAX_OPEN:
                raise CommitmentRefused(RESOURCE_LIMITATION, f"{MAX_OPEN} of its requests are open")
            if not tx.promises.add(peer_aet, called_aet, transaction_uid, references, now):
                raise CommitmentRefused(INVALID_ARGUMENT, "its Transaction UID was used before, for other instances")
            text = f"{peer_aet} asks us to keep {len(references)} instances"
            tx.journal.add(now, "commitment asked of us", text, revision=self.revision)
        log.info("commitment asked of us", extra={"calling_aet": peer_aet, "instances": len(references)})

    def _refuse(self, peer_aet: str, refusal: CommitmentRefused) -> None:
        text = f"a commitment request of {peer_aet} was refused, answered 0x{refusal.status:04X}: {refusal}"
        log.warning("%s", text)
        try:
            with self.database.transaction() as tx:
                tx.journal.add(self.clock(), "refused", text, revision=self.revision)
        except StorageError as trouble:
            log.warning("refusal not journalled: %s", trouble)
