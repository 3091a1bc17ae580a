"""One row for one job's result to one destination, and what becomes of it. Whose turn it is: `leaving/outbox.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, Select, case, delete, exists, or_, select, update

from storage import leases
from storage.errors import IllegalStep, NotFound
from storage.leaving.parts import Parts
from storage.lifecycle import DELIVERY_STEPS, DeliveryState, JobState, check_step
from storage.records import Delivery
from storage.sql.store import Store, among
from storage.sql.words import EMPTY, at_most
from storage.tables import commitments, deliveries, jobs
from storage.texts import plain

Deliveries_ = list[Delivery]  # inside the class `list` is a method

PENDING = deliveries.c.state == DeliveryState.PENDING.value
_UNSENT = (DeliveryState.HELD, DeliveryState.PENDING, DeliveryState.DEAD)
_OUTDATED = or_(jobs.c.state == JobState.SUPERSEDED.value, jobs.c.mark != EMPTY)  # as Job.outdated has it
_JOB_OUTDATED = exists(select(1).where(jobs.c.job_id == deliveries.c.job_id, _OUTDATED)).correlate(deliveries)


@dataclass(frozen=True)
class Setback:
    """Why a delivery did not arrive whole: the reason, what the peer answered for each instance so far, whose
    fault it was, and which of its objects the peer holds by now."""

    reason: str
    statuses: Mapping[str, str] = field(default_factory=dict)
    own_fault: bool = False
    held: Collection[str] = ()


class Deliveries(Store):
    """Deliveries of one transaction. `attempts` counts claims since it was made or last retried."""

    def add(
        self,
        job_id: str,
        study_uid: str,
        destination: str,
        state: DeliveryState,
        now: float,
        reason: str = "",
        *,
        variant: str = "",
    ) -> int:
        """Make a delivery of the job's objects of a variant and give its number.

        The same job to the same destination is the same delivery.
        """
        self._add(
            deliveries,
            job_id=job_id,
            study_uid=study_uid,
            destination=destination,
            state=state.value,
            attempts=0,
            next_attempt_at=now,
            created_at=now,
            reason=plain(reason),
            statuses={},
            priority=self._connection.execute(select(jobs.c.priority).where(jobs.c.job_id == job_id)).scalar() or 0,
            queued_at=now,
            faults=0,
            via="",
            variant=variant,
        )
        same = (deliveries.c.job_id == job_id, deliveries.c.destination == destination)
        return int(self._connection.execute(select(deliveries.c.delivery_id).where(*same)).scalar_one())

    def get(self, delivery_id: int) -> Delivery:
        """The delivery; NotFound."""
        found = self._deliveries(select(deliveries).where(deliveries.c.delivery_id == delivery_id))
        if not found:
            raise NotFound(f"no delivery {delivery_id}")
        return found[0]

    def of_job(self, job_id: str) -> Deliveries_:
        """The job's deliveries, oldest first."""
        query = select(deliveries).where(deliveries.c.job_id == job_id)
        return self._deliveries(query.order_by(deliveries.c.delivery_id))

    def of_study(self, uid: str) -> Deliveries_:
        """The study's deliveries, oldest first."""
        query = select(deliveries).where(deliveries.c.study_uid == uid)
        return self._deliveries(query.order_by(deliveries.c.delivery_id))

    def list(
        self,
        states: Collection[DeliveryState] | None = None,
        limit: int = 100,
        destination: str | None = None,
        before: int | None = None,
    ) -> Deliveries_:
        """The newest first, of one destination or of all; `before` (a number of one) turns the page."""
        query = select(deliveries).order_by(deliveries.c.delivery_id.desc()).limit(at_most(limit))
        if destination is not None:
            query = query.where(deliveries.c.destination == destination)
        if before is not None:
            query = query.where(deliveries.c.delivery_id < before)
        if states is not None:
            query = query.where(among(deliveries.c.state, states))
        return self._deliveries(query)

    def counts(self, most: int | None = None) -> dict[DeliveryState, int]:
        """How many deliveries are in each state; a state without one is left out, none counted further than `most`."""
        return self._counts(deliveries.c.state, DeliveryState, most)

    def renew(self, delivery_id: int, owner: str, now: float, term_s: float) -> None:
        """Extend the lease of a delivery that takes long; LeaseLost."""
        leases.change(self._connection, deliveries.c.delivery_id, delivery_id, owner, lease_until=now + term_s)

    def sent(self, delivery_id: int, owner: str, now: float, statuses: Mapping[str, str], reason: str = "") -> None:
        """The peer took every object; `reason` holds its warnings. LeaseLost."""
        self._end(delivery_id, owner, statuses, reason, state=DeliveryState.SENT.value, sent_at=now)
        delivery = self.get(delivery_id)
        Parts(self._connection).remove(delivery.job_id, delivery.holder, statuses)

    def committed(self, delivery_id: int) -> bool:
        """The peer took responsibility; False where the delivery is not SENT any more, and nothing changes."""
        return self._from_sent(delivery_id, DeliveryState.COMMITTED)

    def uncommitted(self, delivery_id: int, next_attempt_at: float, reason: str, lost: Collection[str] = ()) -> bool:
        """The peer does not hold the instances in `lost`: they go again then, as a fault of the delivery's own.

        All go where none is named. False as above.
        """
        again = {"next_attempt_at": next_attempt_at, "queued_at": next_attempt_at, "reason": plain(reason)}
        again["faults"] = deliveries.c.faults + 1
        return self._from_sent(delivery_id, DeliveryState.PENDING, lost, **again)

    def not_committed(self, delivery_id: int, now: float, reason: str, lost: Collection[str] = ()) -> bool:
        """Give up on its commitment until a person retries it, which sends what is `lost`. False as above."""
        return self._from_sent(delivery_id, DeliveryState.DEAD, lost, next_attempt_at=now, reason=plain(reason))

    def postpone(self, delivery_id: int, owner: str, next_attempt_at: float, setback: Setback) -> None:
        """Try again at `next_attempt_at`, unless its job has been overtaken meanwhile. LeaseLost."""
        state = case((_JOB_OUTDATED, DeliveryState.SUPERSEDED.value), else_=DeliveryState.PENDING.value)
        self._set_back(delivery_id, owner, setback, state=state, next_attempt_at=next_attempt_at)

    def release(self, delivery_id: int, owner: str, next_attempt_at: float, reason: str) -> None:
        """Give it back as it was, to be tried again then: it could not be begun, for this `reason`. LeaseLost."""
        waits = {"next_attempt_at": next_attempt_at, "reason": plain(reason), **leases.NO_LEASE}
        leases.change(self._connection, deliveries.c.delivery_id, delivery_id, owner, **waits)

    def stop(self, delivery_id: int, owner: str, reason: str) -> None:
        """End it unsent, for this `reason`. LeaseLost."""
        ended = {"state": DeliveryState.SUPERSEDED.value, "reason": plain(reason), **leases.NO_LEASE}
        leases.change(self._connection, deliveries.c.delivery_id, delivery_id, owner, **ended)

    def dead(self, delivery_id: int, owner: str, now: float, setback: Setback) -> None:
        """Give it up until a person retries it; `next_attempt_at` keeps when that was. LeaseLost."""
        self._set_back(delivery_id, owner, setback, state=DeliveryState.DEAD.value, next_attempt_at=now)

    def give_up(self, delivery_id: int, now: float, reason: str) -> bool:
        """Make a delivery dead that waits and that nobody is sending; False where it is neither."""
        this = (deliveries.c.delivery_id == delivery_id, PENDING, leases.free(deliveries, now))
        values = {"state": DeliveryState.DEAD.value, "reason": plain(reason), "next_attempt_at": now}
        ended = update(deliveries).where(*this).values(**values, **leases.NO_LEASE)
        return self._connection.execute(ended).rowcount == 1

    def retry(self, delivery_id: int, now: float) -> None:
        """Send it (again) from now on; IllegalStep, also for a held one, which is to be released knowingly."""
        if self.get(delivery_id).state is DeliveryState.HELD:
            raise IllegalStep(f"delivery {delivery_id} is HELD: {self.get(delivery_id).reason}")
        self._to_pending(delivery_id, now)

    def release_held(self, delivery_id: int, now: float) -> None:
        """Let a held delivery go; IllegalStep where it is not held."""
        if (state := self.get(delivery_id).state) is not DeliveryState.HELD:
            raise IllegalStep(f"delivery {delivery_id} is {state}, not HELD")
        self._to_pending(delivery_id, now)

    def supersede_unsent(self, job_id: str, now: float, reason: str = "its job was superseded") -> int:
        """Stop what has not left, for this `reason`; gives the number.

        One that is leaving under a live lease is left to its sender.
        """
        unsent = (deliveries.c.job_id == job_id, among(deliveries.c.state, _UNSENT), leases.free(deliveries, now))
        stopped = update(deliveries).where(*unsent)
        values = {"state": DeliveryState.SUPERSEDED.value, "reason": plain(reason), **leases.NO_LEASE}
        return self._connection.execute(stopped.values(**values)).rowcount

    def forget(self, job_id: str) -> int:
        """Drop the job's deliveries, which it makes anew when it ends again; gives the number.

        What their destinations were asked to keep stays known, as the study's.
        """
        theirs = select(deliveries.c.delivery_id).where(deliveries.c.job_id == job_id)
        asked = update(commitments).where(commitments.c.delivery_id.in_(theirs))
        self._connection.execute(asked.values(delivery_id=None))
        return self._connection.execute(delete(deliveries).where(deliveries.c.job_id == job_id)).rowcount

    def reap(self, now: float) -> int:
        """Give back the deliveries whose lease ran out; gives the number."""
        dead = update(deliveries).where(PENDING, leases.lapsed(deliveries, now))
        return self._connection.execute(dead.values(**leases.NO_LEASE)).rowcount

    def _end(self, delivery_id: int, owner: str, statuses: Mapping[str, str], reason: str, **values: Any) -> None:
        told = {"statuses": dict(statuses), "reason": plain(reason)}
        key = deliveries.c.delivery_id
        leases.change(self._connection, key, delivery_id, owner, **told, **values, **leases.NO_LEASE)

    def _set_back(self, delivery_id: int, owner: str, setback: Setback, **values: Any) -> None:
        faults = deliveries.c.faults + int(setback.own_fault)
        delivery = self.get(delivery_id)
        Parts(self._connection).add(delivery.job_id, delivery.holder, setback.held)
        if not setback.held:  # nobody holds a part of it: it may go another way
            values["via"] = ""
        self._end(delivery_id, owner, setback.statuses, setback.reason, faults=faults, **values)

    def _from_sent(self, delivery_id: int, to: DeliveryState, lost: Collection[str] = (), **values: Any) -> bool:
        check_step(DELIVERY_STEPS, f"delivery {delivery_id}", DeliveryState.SENT, to)
        this = (deliveries.c.delivery_id == delivery_id) & (deliveries.c.state == DeliveryState.SENT.value)
        told = self._locked(deliveries.c.statuses, this) or {}
        rest = {uid: answer for uid, answer in told.items() if uid not in lost}
        if to is not DeliveryState.COMMITTED:
            values["statuses"] = rest
            self._still_held(delivery_id, rest)
        return self._connection.execute(update(deliveries).where(this).values(state=to.value, **values)).rowcount == 1

    def _to_pending(self, delivery_id: int, now: float) -> None:
        this = deliveries.c.delivery_id == delivery_id
        state = DeliveryState(self._locked(deliveries.c.state, this))
        check_step(DELIVERY_STEPS, f"delivery {delivery_id}", state, DeliveryState.PENDING)
        fresh: dict[str, Any] = {"state": DeliveryState.PENDING.value, "attempts": 0, "faults": 0, "reason": ""}
        fresh |= {"next_attempt_at": now, "queued_at": now}
        if state is not DeliveryState.DEAD:  # what arrived is to be sent once more; the rest of a dead one, alone
            self._still_held(delivery_id, self.get(delivery_id).statuses)
            fresh |= {"statuses": {}, "via": ""}  # and not for ever to who stood in when it went first
        self._connection.execute(update(deliveries).where(this).values(**fresh))

    def _still_held(self, delivery_id: int, uids: Collection[str]) -> None:
        """What was sent whole does not say so any more; these objects are there all the same."""
        delivery = self.get(delivery_id)
        Parts(self._connection).add(delivery.job_id, delivery.holder, uids)

    def _deliveries(self, query: Select[Any]) -> Deliveries_:
        return [delivery_of(row) for row in self._connection.execute(query)]


def delivery_of(row: Row[Any]) -> Delivery:
    """A row as a fact."""
    values = dict(row._mapping)
    return Delivery(study_instance_uid=values.pop("study_uid"), state=DeliveryState(values.pop("state")), **values)
