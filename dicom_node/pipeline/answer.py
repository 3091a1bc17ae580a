"""Peers' storage commitment requests are answered (PS3.4 J): what we hold ourselves, or what an archive says it holds.

First the answer is decided and kept, then the peer is told, again with backoff until it has heard.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dicom_node.errors import PeerError
from dicom_node.network.commitment import tell
from dicom_node.network.peer import Peer
from dicom_node.pipeline.backoff import Backoff
from storage.archive import Archive
from storage.database import Database, Transaction
from storage.leaving.holdings import in_words, look_up
from storage.lifecycle import PromiseState
from storage.records import CommitmentReport, Promise

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """Decides and tells. `relay_to` names the destination that is asked; None: we answer for what we hold.

    What we say we hold is kept for `keep_s` from then on. A peer that hears nothing for so long is given up.
    """

    database: Database
    archive: Archive
    peers: Mapping[str, Peer]  # by AE title
    relay_to: str | None
    keep_s: float
    backoff: Backoff
    owner: str
    lease_term_s: float
    revision: int = 0
    clock: Callable[[], float] = time.time
    name: str = "answer"

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.promises.due(now):
                return False
        with self.database.transaction() as tx:
            promise = tx.promises.claim(self.owner, now, self.lease_term_s)
            if promise is None:
                return False
            done = self._close(tx, promise, now)
        if not done and promise.report is not None:
            self._tell(promise, promise.report)
        return True

    def _close(self, tx: Transaction, promise: Promise, now: float) -> bool:
        """Take the step that needs nobody's answer, in the claim's own commit; False where the peer is to be told."""
        if now >= promise.received_at + self.keep_s:
            reason = f"{promise.peer_aet} was not told in time: {promise.reason or 'no answer came about'}"
            tx.promises.end(promise.promise_id, self.owner, PromiseState.GIVEN_UP, reason)
            tx.journal.add(now, "commitment given up", reason, revision=self.revision)
        elif promise.report is not None:
            return False
        elif self.relay_to is None:
            self._decide(tx, promise, now)
        else:
            self._pass_on(tx, promise, self.relay_to, now)
        return True

    def _decide(self, tx: Transaction, promise: Promise, now: float) -> None:
        holdings = look_up(tx, self.archive, promise.instances)
        tx.promises.keep(holdings.studies, now + self.keep_s)
        tx.promises.decide(promise.promise_id, holdings.report, now)
        text = f"to {promise.peer_aet}: {in_words(holdings.report)}"
        for study in sorted(set(holdings.studies.values())) or [""]:
            tx.journal.add(now, "commitment decided", text, study=study, revision=self.revision)

    def _pass_on(self, tx: Transaction, promise: Promise, destination: str, now: float) -> None:
        """Ask the archive for the same instances; its answer makes this one due again (pipeline/commit.py)."""
        asked = tx.commitments.of_promise(promise.promise_id)
        if asked is None or asked.created_at < promise.received_at:
            tx.commitments.add(destination, promise.instances, now, due_at=now, promise_id=promise.promise_id)
            text = f"{destination} is asked for the {len(promise.instances)} instances that {promise.peer_aet} named"
            tx.journal.add(now, "commitment relayed", text, revision=self.revision)
        tx.promises.postpone(promise.promise_id, self.owner, promise.received_at + self.keep_s)

    def _tell(self, promise: Promise, report: CommitmentReport) -> None:
        peer = self.peers.get(promise.peer_aet)
        if peer is None:
            self._later(promise, f"{promise.peer_aet} is configured no more")
            return
        try:
            tell(peer, promise.called_aet, promise.transaction_uid, promise.instances, report)
        except PeerError as trouble:
            self._later(promise, str(trouble))
            return
        now = self.clock()
        with self.database.transaction() as tx:
            tx.promises.end(promise.promise_id, self.owner, PromiseState.TOLD)
            text = f"{promise.peer_aet} was told: {in_words(report)}"
            tx.journal.add(now, "commitment told", text, revision=self.revision)
        log.info("commitment told", extra={"peer": promise.peer_aet, "failed": len(report.failed)})

    def _later(self, promise: Promise, reason: str) -> None:
        wait = self.backoff.wait_s(promise.attempts, random.random())  # noqa: S311 (spreads load, guards nothing)
        with self.database.transaction() as tx:
            tx.promises.postpone(promise.promise_id, self.owner, self.clock() + wait, reason)
        log.warning("commitment not told yet: %s", reason, extra={"peer": promise.peer_aet})
