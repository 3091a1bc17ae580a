"""SENT → COMMITTED: the destination is asked to take responsibility (PS3.4 J), and believed only when it reports.

What it does not hold is sent again. A report that does not come is asked for again, ever more seldom, and given up
in the end: the delivery stays SENT then, with a remark, or is DEAD where the destination's commitment is required.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dicom_node.destinations.base import Destination
from dicom_node.errors import NotOffered, Refused, Rejected, Unreachable
from dicom_node.pipeline.backoff import Backoff
from storage.database import Database, Transaction
from storage.leaving.holdings import DUPLICATE_TRANSACTION, PROCESSING_FAILURE, in_words
from storage.lifecycle import CommitmentState
from storage.records import Commitment, CommitmentReport

log = logging.getLogger(__name__)

AGAIN_MAX_S = 86400.0


@dataclass(frozen=True)
class Patience:
    """How long we wait for a report: on the open association, until we ask again (doubled each time), in all."""

    wait_s: float
    ask_again_s: float
    give_up_s: float

    def again_s(self, asked: int) -> float:
        """Seconds until the next request, after `asked` of them were taken."""
        return Backoff(self.ask_again_s, max(self.ask_again_s, AGAIN_MAX_S), 0).wait_s(asked, 0.5)


@dataclass(frozen=True)
class Commit:
    """Asks for what is due, and looks at the reports that came."""

    database: Database
    destinations: Mapping[str, Destination]
    backoff: Backoff
    patience: Patience
    owner: str
    lease_term_s: float
    revision: int = 0
    clock: Callable[[], float] = time.time
    name: str = "commit"

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.commitments.due(now):
                return False
        with self.database.transaction() as tx:
            item = tx.commitments.claim(self.owner, now, self.lease_term_s)
            if item is None:
                return False
            done = self._close(tx, item, now)
        if not done:
            self._ask(item)
        return True

    def _close(self, tx: Transaction, item: Commitment, now: float) -> bool:
        """Take the step that needs nobody's answer, in the claim's own commit; False where it is to be asked."""
        if item.report is not None:
            self._settle(tx, item, item.report, now)
        elif now >= item.created_at + self.patience.give_up_s:
            self._give_up(tx, item, now, f"no report; {item.asked} requests were taken")
        elif item.asked_at is not None:
            tx.commitments.again(item, self.owner, now)
        else:
            return False
        return True

    def _ask(self, item: Commitment) -> None:
        destination = self.destinations.get(item.destination)
        if destination is None or not destination.asks_commitment:
            self._refused(item, f"{item.destination} is configured to be asked no more", first=True)
            return
        try:
            heard, wait_s = self._heard, self.patience.wait_s
            destination.ask_commitment(item.transaction_uid, item.instances, heard=heard, wait_s=wait_s)
        except (Unreachable, Rejected) as trouble:
            self._later(item, str(trouble))
        except Refused as refusal:
            self._refused(item, str(refusal), first=item.attempts == 1 or isinstance(refusal, NotOffered))
        else:
            now = self.clock()
            with self.database.transaction() as tx:
                again = now + self.patience.again_s(item.asked + 1)
                tx.commitments.asked(item.commitment_id, self.owner, now, again)
            log.info("commitment asked", extra={"destination": item.destination, "instances": len(item.instances)})

    def _heard(self, transaction_uid: str, report: CommitmentReport) -> bool:
        with self.database.transaction() as tx:
            return tx.commitments.report(transaction_uid, report, self.clock())

    def _refused(self, item: Commitment, reason: str, *, first: bool) -> None:
        """A peer may refuse what it took before we died or lost it: then it is asked afresh, once."""
        now = self.clock()
        with self.database.transaction() as tx:
            if first:
                self._give_up(tx, item, now, reason)
            else:
                tx.commitments.again(item, self.owner, now)

    def _later(self, item: Commitment, reason: str) -> None:
        wait = self.backoff.wait_s(item.attempts, random.random())  # noqa: S311 (spreads load, guards nothing)
        with self.database.transaction() as tx:
            tx.commitments.postpone(item.commitment_id, self.owner, self.clock() + wait, reason)
        log.warning("commitment postponed", extra={"destination": item.destination})

    def _settle(self, tx: Transaction, item: Commitment, report: CommitmentReport, now: float) -> None:
        if report.failed and set(report.failed.values()) == {DUPLICATE_TRANSACTION}:
            tx.commitments.again(item, self.owner, now)
            return
        words = in_words(report)
        if item.promise_id is not None:
            tx.promises.decide(item.promise_id, report, now)
        if report.failed:
            tx.commitments.end(item.commitment_id, self.owner, CommitmentState.FAILED, words)
            self._send_again(tx, item, report, now)
            return
        tx.commitments.end(item.commitment_id, self.owner, CommitmentState.COMMITTED)
        if item.delivery_id is not None:
            words += self._commit(tx, item, item.delivery_id)
        self._journal(tx, item, now, "committed", f"{item.destination}: {words}")
        log.info("committed", extra={"study": item.study_instance_uid, "destination": item.destination})

    def _commit(self, tx: Transaction, item: Commitment, delivery_id: int) -> str:
        """Believe it of what was sent when this was asked for; gives what is to be said where that was sent again.

        All requests about one sending bear its moment, so a late report on any of them counts.
        """
        newest = tx.commitments.newest_of(delivery_id)
        if newest is None or newest.created_at != item.created_at:
            return "; but it was sent again since, and that is asked for on its own"
        if tx.deliveries.committed(delivery_id):
            tx.commitments.drop(delivery_id, "the destination committed it by its report on an earlier request")
        return ""

    def _send_again(self, tx: Transaction, item: Commitment, report: CommitmentReport, now: float) -> None:
        """Back into the queue of deliveries, as long as those are patient; an old report moves nothing."""
        words = in_words(report)
        told = f"{item.destination}: {words}"
        newest = tx.commitments.newest_of(item.delivery_id) if item.delivery_id is not None else None
        if item.delivery_id is not None and newest is not None and newest.commitment_id == item.commitment_id:
            delivery = tx.deliveries.get(item.delivery_id)
            job = tx.jobs.get(delivery.job_id)
            if job.outdated:
                told += f"; its result is {job.mark or job.state.lower()}, so it is not sent again"
            elif delivery.faults + 1 >= self.backoff.attempts:
                given_up = f"given up after {delivery.faults + 1} failures: {words}"
                tx.deliveries.not_committed(item.delivery_id, now, given_up, report.failed)
                self._journal(tx, item, now, "delivery dead", f"{item.destination}: {given_up}")
            else:
                wait = self.backoff.wait_s(delivery.faults + 1, random.random())  # noqa: S311 (as above)
                tx.deliveries.uncommitted(item.delivery_id, now + wait, words, report.failed)
                told += f"; sent again in {wait:.0f} s"
        self._journal(tx, item, now, "not committed", told)
        log.warning("not committed", extra={"study": item.study_instance_uid, "destination": item.destination})

    def _give_up(self, tx: Transaction, item: Commitment, now: float, reason: str) -> None:
        """A remark; dead where the destination's commitment is required. Whoever asked through us is told no."""
        tx.commitments.end(item.commitment_id, self.owner, CommitmentState.GIVEN_UP, reason)
        destination = self.destinations.get(item.destination)
        if item.promise_id is not None:
            failed = {reference.sop_instance_uid: PROCESSING_FAILURE for reference in item.instances}
            tx.promises.decide(item.promise_id, CommitmentReport((), failed), now)
        if item.delivery_id is not None and destination is not None and destination.requires_commitment:
            told = f"its commitment is required: {reason}"
            tx.deliveries.not_committed(item.delivery_id, now, told)
            self._journal(tx, item, now, "delivery dead", f"{item.destination}: {told}")
        self._journal(tx, item, now, "commitment given up", reason)
        log.warning("commitment given up: %s", reason, extra={"study": item.study_instance_uid})

    def _journal(self, tx: Transaction, item: Commitment, now: float, event: str, text: str) -> None:
        tx.journal.add(now, event, text, study=item.study_instance_uid, revision=self.revision)
