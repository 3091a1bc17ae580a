"""PENDING → SENT or DEAD: jobs' objects to one destination, tried again while that makes sense.

Each destination has senders of its own, so that one that hangs delays no other. An outage is the destination's:
its circuit opens, deliveries keep their place and lose no attempt. A failure while the destination was well is the
delivery's own: it waits longer from one to the next, and is given up in the end. Files that cannot be read now are
nobody's fault: the delivery waits and lets others go.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dicom_node.audit.facts import Outcome
from dicom_node.audit.recorder import Recorder
from dicom_node.counting import DELIVERY_FAILURES, SENT_BYTES, Counts
from dicom_node.destinations.base import Destination
from dicom_node.errors import PeerError, Refused, Rejected, Unfinished, Unreachable
from dicom_node.network.statuses import Status, is_stored
from dicom_node.pipeline.keeper import Keeper
from dicom_node.pipeline.patience import Patience
from dicom_node.pipeline.reasons import reason_of
from storage.archive import Archive
from storage.database import Database, Transaction
from storage.deliveries import Setback
from storage.errors import Damaged, NotFound, Unavailable
from storage.leaving.outbox import Sender
from storage.records import Circuit, Delivery, Reference, ResultObject

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deliver:
    """Sends what is due at one destination, one delivery at a time; as many of these as it takes at a time.

    With `commit_after_s`, the destination is asked so long afterwards to take responsibility for what it got.
    """

    database: Database
    archive: Archive
    sender: Sender
    destination: Destination
    patience: Patience
    owner: str
    lease_term_s: float
    commit_after_s: float | None = None
    revision: int = 0
    clock: Callable[[], float] = time.time
    name: str = "deliver"
    audit: Recorder = field(default_factory=Recorder)
    counts: Counts = field(default_factory=Counts)

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.outbox.due(self.sender, now):
                return False
        with self.database.transaction() as tx:
            delivery = tx.outbox.claim(self.sender, self.owner, now, self.lease_term_s)
            if delivery is None:
                return False
            if tx.jobs.get(delivery.job_id).outdated:  # by now: whoever was sending it then has ended over it
                self._stop(tx, delivery, now)
                return True
            objects = tx.results.of_job(delivery.job_id, delivery.variant)
            if not objects:  # as where nothing was found, and the route lets segmentations out alone
                self._nothing(tx, delivery, now)
                return True
        self.audit.delivery_begins(self._in_truth(delivery))
        try:
            answers = self._send(delivery, objects)
        except (NotFound, Damaged) as loss:
            self._count(loss)
            self._dead(delivery, PeerError(f"a file of the result is lost: {loss}; run the job again, or restore it"))
        except Unavailable as trouble:
            self._count(trouble)
            self._wait(delivery, trouble)
        except (Unreachable, Rejected) as trouble:
            self._count(trouble)
            again = self._later(delivery, trouble)
            outcome = Outcome.MINOR_FAILURE if again else Outcome.SERIOUS_FAILURE
            self.audit.delivery_ended(self._in_truth(delivery), outcome, str(trouble))
        except Refused as refusal:
            self._count(refusal)
            self._dead(delivery, refusal)
        else:
            sent = sum(item.file.size for item in objects if item.sop_instance_uid in answers)
            self.counts.add(SENT_BYTES, sent, destination=self.sender.destination)
            self._sent(delivery, objects, {**delivery.statuses, **{uid: str(said) for uid, said in answers.items()}})
        return True

    def _stop(self, tx: Transaction, delivery: Delivery, now: float) -> None:
        reason = "its job was overtaken while it was being sent"
        tx.deliveries.stop(delivery.delivery_id, self.owner, reason)
        self._journal(tx, delivery, now, "delivery stopped", f"{self.sender.destination}: {reason}")

    def _nothing(self, tx: Transaction, delivery: Delivery, now: float) -> None:
        """Done without a word to the destination, which can be asked to keep nothing either."""
        reason = "nothing to send: its job made no object"
        tx.deliveries.sent(delivery.delivery_id, self.owner, now, {}, reason)
        self._journal(tx, delivery, now, "delivered", f"{self.sender.destination}: {reason}")

    def _count(self, trouble: Exception) -> None:
        self.counts.add(DELIVERY_FAILURES, destination=self.sender.destination, reason=reason_of(trouble))

    def _in_truth(self, delivery: Delivery) -> Delivery:
        """The delivery as it goes: to us, also where it was meant for the one that is down."""
        return replace(delivery, destination=self.sender.destination)

    def _send(self, delivery: Delivery, objects: Sequence[ResultObject]) -> Mapping[str, Status]:
        """What is not there yet; all of it where all is there, since then somebody wants it once more."""
        before = delivery.statuses
        rest = [item for item in objects if not is_stored(before.get(item.sop_instance_uid, ""))] or objects

        def renew(tx: Transaction) -> None:
            tx.deliveries.renew(delivery.delivery_id, self.owner, self.clock(), self.lease_term_s)

        def told(answers: Mapping[str, Status]) -> None:
            """Kept at once: were we killed before the last answer, nobody would know what is there."""
            held = [uid for uid, said in answers.items() if said.stored]
            try:
                with self.database.transaction() as tx:
                    tx.parts.add(delivery.job_id, self.sender.destination, held)
            except Unavailable as trouble:  # it is written at the end as well
                log.warning("an answer is not kept yet: %s", trouble)

        with (
            Keeper(self.database, renew, self.lease_term_s),  # else it would be sent twice at once
            self.archive.local([item.file for item in rest], checked=True) as files,
        ):
            return self.destination.deliver(files, told)

    def _sent(self, delivery: Delivery, objects: Sequence[ResultObject], statuses: dict[str, str]) -> None:
        now, name = self.clock(), self.sender.destination
        warnings = sorted({text for text in statuses.values() if not text.startswith("0x0000")})
        notes = [] if name == delivery.destination else [f"in place of {delivery.destination}, which is down"]
        notes += [f"stored with warning: {'; '.join(warnings)}"] if warnings else []
        with self.database.transaction() as tx:
            self._answers(tx, now)
            tx.deliveries.sent(delivery.delivery_id, self.owner, now, statuses, reason="; ".join(notes))
            self._journal(tx, delivery, now, "delivered", "; ".join([f"{len(statuses)} objects to {name}", *notes]))
            if self.commit_after_s is not None:
                tx.commitments.add(
                    name,
                    [Reference(item.sop_class_uid, item.sop_instance_uid) for item in objects],
                    now,
                    due_at=now + self.commit_after_s,
                    study_uid=delivery.study_instance_uid,
                    delivery_id=delivery.delivery_id,
                )
        self.audit.delivery_ended(self._in_truth(delivery), Outcome.SUCCESS, "; ".join(notes))
        log.info("delivered", extra={"study": delivery.study_instance_uid, "destination": name})

    def _later(self, delivery: Delivery, trouble: PeerError) -> bool:
        """Have it tried again; False where it has been given up."""
        now, name, patience = self.clock(), self.sender.destination, self.patience
        with self.database.transaction() as tx:
            circuit = tx.circuits.failed(name, now, str(trouble))
            setback = self._setback(delivery, trouble, own_fault=circuit.failures == 1)
            if setback.own_fault and delivery.faults + 1 >= patience.retry.attempts:
                reason = f"given up after {delivery.faults + 1} failures while {name} took others: {trouble}"
                self._bury(tx, delivery, now, replace(setback, reason=reason))
                return False
            down = circuit.failures >= patience.down_after or trouble.wait_s > 0
            wait_s = patience.retry_s(delivery.faults)
            keeps_its_place = down and not isinstance(trouble, Unfinished)
            next_attempt_at = delivery.queued_at if keeps_its_place else now + wait_s
            tx.deliveries.postpone(delivery.delivery_id, self.owner, next_attempt_at, setback)
            if down:
                self._pause(tx, circuit, now, trouble.wait_s)
            else:
                text = f"{name}: {trouble}; next attempt in {wait_s:.0f} s"
                self._journal(tx, delivery, now, "delivery postponed", text)
        log.warning("delivery postponed", extra={"destination": name, "job": delivery.job_id})
        return True

    def _wait(self, delivery: Delivery, trouble: Unavailable) -> None:
        """Give it back until its files can be read: held, or first in line, it would keep all others waiting."""
        now, wait_s = self.clock(), self.patience.retry_s(0)
        with self.database.transaction() as tx:
            tx.deliveries.release(delivery.delivery_id, self.owner, now + wait_s, str(trouble))
            if str(trouble) != delivery.reason:
                text = f"{self.sender.destination}: {trouble}; it is tried again from time to time"
                self._journal(tx, delivery, now, "delivery postponed", text)
        self.audit.delivery_ended(self._in_truth(delivery), Outcome.MINOR_FAILURE, str(trouble))
        extra = {"destination": self.sender.destination, "job": delivery.job_id}
        log.warning("delivery postponed: %s", trouble, extra=extra)

    def _setback(self, delivery: Delivery, trouble: PeerError, *, own_fault: bool = False) -> Setback:
        statuses = {**delivery.statuses, **trouble.answers}
        return Setback(
            reason=str(trouble),
            statuses=statuses,
            own_fault=own_fault and isinstance(trouble, Unfinished),
            held=[uid for uid, answer in statuses.items() if is_stored(answer)],
        )

    def _pause(self, tx: Transaction, circuit: Circuit, now: float, asked_s: float) -> None:
        """Leave the destination in peace; whoever waited only for it has his place in the queue back."""
        pause_s = max(self.patience.pause_s(circuit.failures), asked_s)
        tx.circuits.open(circuit.destination, now + pause_s)
        if circuit.open:
            return  # that was one more try, and it is known to be down
        tx.outbox.restore_order(circuit.destination, now)
        text = f"{circuit.destination} failed {circuit.failures} times: {circuit.reason}; next try in {pause_s:.0f} s"
        tx.journal.add(now, "destination down", text, revision=self.revision)
        log.error("destination down", extra={"destination": circuit.destination})

    def _answers(self, tx: Transaction, now: float) -> None:
        """The destination is well; what waited goes, in order."""
        before = tx.circuits.worked(self.sender.destination)
        if before is None or not before.open:
            return
        tx.outbox.restore_order(before.destination, now)
        hours = (now - (before.down_since or now)) / 3600
        text = f"{before.destination} is back after {hours:.1f} h and {before.failures} failures"
        tx.journal.add(now, "destination back", text, revision=self.revision)
        log.warning("destination back", extra={"destination": before.destination})

    def _dead(self, delivery: Delivery, trouble: PeerError) -> None:
        now = self.clock()
        with self.database.transaction() as tx:
            if trouble.answers:
                self._answers(tx, now)
            self._bury(tx, delivery, now, self._setback(delivery, trouble))
        self.audit.delivery_ended(self._in_truth(delivery), Outcome.SERIOUS_FAILURE, str(trouble))

    def _bury(self, tx: Transaction, delivery: Delivery, now: float, setback: Setback) -> None:
        tx.deliveries.dead(delivery.delivery_id, self.owner, now, setback)
        self._journal(tx, delivery, now, "delivery dead", f"{self.sender.destination}: {setback.reason}")
        log.error("delivery dead", extra={"destination": self.sender.destination, "job": delivery.job_id})

    def _journal(self, tx: Transaction, delivery: Delivery, now: float, event: str, text: str) -> None:
        tx.journal.add(now, event, text, study=delivery.study_instance_uid, job=delivery.job_id, revision=self.revision)
