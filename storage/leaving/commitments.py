"""Storage commitments that we ask of destinations (PS3.4 J), as the service's user: one row a transaction.

A row is due to be asked for, again where no report came within its term, and at once when a report has come.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select, update

from storage import leases
from storage.lifecycle import COMMITMENT_STEPS, CommitmentState, check_step
from storage.records import Commitment, CommitmentReport, Reference
from storage.sql.store import Store
from storage.sql.words import at_most
from storage.tables import commitments
from storage.texts import plain

_PENDING = commitments.c.state == CommitmentState.PENDING.value


class Commitments(Store):
    """Our requests, of one transaction of the database."""

    def add(
        self,
        destination: str,
        instances: Sequence[Reference],
        now: float,
        *,
        due_at: float,
        study_uid: str = "",
        delivery_id: int | None = None,
        promise_id: int | None = None,
    ) -> str:
        """Note a request that is to be made; gives its Transaction UID. An open one for the same delivery ends."""
        if delivery_id is not None:
            self.drop(delivery_id, "its delivery was sent again")
        whose = {"study_uid": study_uid, "delivery_id": delivery_id, "promise_id": promise_id}
        return self._new(destination, instances, next_attempt_at=due_at, created_at=now, asked=0, **whose)

    def again(self, silent: Commitment, owner: str, now: float) -> str:
        """Replace a request that got no report by one that is due now; gives its new Transaction UID. LeaseLost.

        A peer may take the old UID for a duplicate (0131H, PS3.3 C.14.1.1); a late report on that one still counts.
        """
        self.end(silent.commitment_id, owner, CommitmentState.GIVEN_UP, "no report came; it was asked again")
        return self._new(
            silent.destination,
            silent.instances,
            next_attempt_at=now,
            created_at=silent.created_at,
            asked=silent.asked,
            study_uid=silent.study_instance_uid,
            delivery_id=silent.delivery_id,
            promise_id=silent.promise_id,
        )

    def find(self, transaction_uid: str) -> Commitment | None:
        return self._one(commitments.c.transaction_uid == transaction_uid)

    def newest_of(self, delivery_id: int) -> Commitment | None:
        """The delivery's last request; those before it count no more."""
        return self._one(commitments.c.delivery_id == delivery_id)

    def of_promise(self, promise_id: int) -> Commitment | None:
        """The last request that was made on behalf of a peer's."""
        return self._one(commitments.c.promise_id == promise_id)

    def of_study(self, study_uid: str) -> list[Commitment]:
        """The requests for the study's results, oldest first."""
        query = select(commitments).where(commitments.c.study_uid == study_uid).order_by(commitments.c.commitment_id)
        return self._commitments(query)

    def due(self, now: float) -> bool:
        """Whether `claim` would find one."""
        return self._exists(_PENDING & (commitments.c.next_attempt_at <= now) & leases.free(commitments, now))

    def claim(self, owner: str, now: float, term_s: float) -> Commitment | None:
        """Lease the one that has been due longest, and count the attempt."""
        queue = (
            select(commitments.c.commitment_id)
            .where(_PENDING, commitments.c.next_attempt_at <= now, leases.free(commitments, now))
            .order_by(commitments.c.next_attempt_at, commitments.c.commitment_id)
        )
        attempt = {"attempts": commitments.c.attempts + 1}
        row = leases.take(self._connection, queue, owner, now + term_s, **attempt)
        return None if row is None else _commitment(row)

    def asked(self, commitment_id: int, owner: str, now: float, next_attempt_at: float) -> None:
        """The destination took the request; without a report it is looked at again then. LeaseLost.

        A report that was quicker than this has taken the lease away, and stands.
        """
        taken = {"asked": commitments.c.asked + 1, "asked_at": now, "attempts": 0, "reason": ""}
        reported = (commitments.c.commitment_id == commitment_id) & commitments.c.report.is_not(None)
        if self._connection.execute(update(commitments).where(reported).values(**taken)).rowcount == 0:
            self._change(commitment_id, owner, next_attempt_at=next_attempt_at, **taken)

    def postpone(self, commitment_id: int, owner: str, next_attempt_at: float, reason: str) -> None:
        """Try again then. LeaseLost."""
        self._change(commitment_id, owner, next_attempt_at=next_attempt_at, reason=plain(reason))

    def report(self, transaction_uid: str, report: CommitmentReport, now: float) -> bool:
        """Keep what a destination tells, and have it looked at; False where we made no such request.

        It speaks of what was asked for only, and counts what it leaves out as failed. A second one changes nothing.
        """
        this = commitments.c.transaction_uid == transaction_uid
        query = select(commitments).where(this).with_for_update(key_share=True)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return False
        if row.report is None and row.state in (CommitmentState.PENDING, CommitmentState.GIVEN_UP):
            uids = [uid for _, uid in row.instances]
            committed = set(report.committed).difference(report.failed)
            told = {
                "committed": [uid for uid in uids if uid in committed],
                "failed": {uid: report.failed.get(uid, 0) for uid in uids if uid not in committed},
            }
            values = {"report": told, "state": CommitmentState.PENDING.value, "next_attempt_at": now}
            self._connection.execute(update(commitments).where(this).values(**values, **leases.NO_LEASE))
        return True

    def end(self, commitment_id: int, owner: str, state: CommitmentState, reason: str = "") -> None:
        """Close the request; LeaseLost."""
        check_step(COMMITMENT_STEPS, f"commitment {commitment_id}", CommitmentState.PENDING, state)
        self._change(commitment_id, owner, state=state.value, reason=plain(reason))

    def drop(self, delivery_id: int, reason: str) -> None:
        """End what is open for a delivery, whoever is at it."""
        ended = {"state": CommitmentState.GIVEN_UP.value, "reason": reason}
        open_ = update(commitments).where(commitments.c.delivery_id == delivery_id, _PENDING)
        self._connection.execute(open_.values(**ended, **leases.NO_LEASE))

    def reap(self, now: float) -> int:
        """Give back those whose lease ran out; gives the number."""
        dead = update(commitments).where(_PENDING, leases.lapsed(commitments, now))
        return self._connection.execute(dead.values(**leases.NO_LEASE)).rowcount

    def _new(self, destination: str, instances: Sequence[Reference], **values: Any) -> str:
        transaction_uid = f"2.25.{uuid.uuid4().int}"  # PS3.5 B.2; nobody can guess it
        self._add(
            commitments,
            transaction_uid=transaction_uid,
            destination=destination,
            instances=[[item.sop_class_uid, item.sop_instance_uid] for item in instances],
            state=CommitmentState.PENDING.value,
            attempts=0,
            report=None,
            reason="",
            **values,
        )
        return transaction_uid

    def _change(self, commitment_id: int, owner: str, **values: Any) -> None:
        key = commitments.c.commitment_id
        leases.change(self._connection, key, commitment_id, owner, **values, **leases.NO_LEASE)

    def _one(self, condition: ColumnElement[bool]) -> Commitment | None:
        query = select(commitments).where(condition).order_by(commitments.c.commitment_id.desc()).limit(at_most(1))
        return next(iter(self._commitments(query)), None)

    def _commitments(self, query: Select[Any]) -> list[Commitment]:
        return [_commitment(row) for row in self._connection.execute(query)]


def references_of(pairs: Sequence[Sequence[str]]) -> tuple[Reference, ...]:
    """Instances as they lie in a row: pairs of class and instance."""
    return tuple(Reference(*pair) for pair in pairs)


def report_of(value: dict[str, Any] | None) -> CommitmentReport | None:
    """A report as it lies in a row."""
    return None if value is None else CommitmentReport(tuple(value["committed"]), dict(value["failed"]))


def _commitment(row: Row[Any]) -> Commitment:
    values = dict(row._mapping)
    return Commitment(
        study_instance_uid=values.pop("study_uid"),
        state=CommitmentState(values.pop("state")),
        instances=references_of(values.pop("instances")),
        report=report_of(values.pop("report")),
        **values,
    )
