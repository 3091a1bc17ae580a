"""The outbox: one row for one job's result to one destination."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, Select, case, delete, exists, select, update

from storage import leases
from storage.errors import IllegalStep, NotFound
from storage.lifecycle import DELIVERY_STEPS, DeliveryState, JobState, check_step
from storage.records import Delivery
from storage.store import Store, among, plain
from storage.tables import deliveries, jobs

Deliveries_ = list[Delivery]  # inside the class `list` is a method

_UNSENT = (DeliveryState.HELD, DeliveryState.PENDING, DeliveryState.DEAD)
_PENDING = deliveries.c.state == DeliveryState.PENDING.value
_JOB_SUPERSEDED = exists(
    select(1).where(jobs.c.job_id == deliveries.c.job_id, jobs.c.state == JobState.SUPERSEDED.value)
).correlate(deliveries)


class Deliveries(Store):
    """Deliveries of one transaction. `attempts` counts claims since it was made or last retried."""

    def add(
        self, job_id: str, study_uid: str, destination: str, state: DeliveryState, now: float, reason: str = ""
    ) -> int:
        """Make a delivery and give its number; the same job to the same destination is the same delivery."""
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

    def list(self, states: Collection[DeliveryState] | None = None, limit: int = 100) -> Deliveries_:
        """The newest first."""
        query = select(deliveries).order_by(deliveries.c.delivery_id.desc()).limit(limit)
        if states is not None:
            query = query.where(among(deliveries.c.state, states))
        return self._deliveries(query)

    def counts(self) -> dict[DeliveryState, int]:
        """How many deliveries are in each state; a state without one is left out."""
        return self._counts(deliveries.c.state, DeliveryState)

    def due(self, now: float) -> bool:
        """Whether `claim` would find a delivery."""
        return self._exists(_PENDING & (deliveries.c.next_attempt_at <= now) & leases.free(deliveries, now))

    def claim(self, owner: str, now: float, term_s: float) -> Delivery | None:
        """Lease the delivery that has been due longest, and count the attempt."""
        queue = (
            select(deliveries.c.delivery_id)
            .where(_PENDING, deliveries.c.next_attempt_at <= now, leases.free(deliveries, now))
            .order_by(deliveries.c.next_attempt_at, deliveries.c.delivery_id)
        )
        attempt = {"attempts": deliveries.c.attempts + 1}
        row = leases.take(self._connection, queue, owner, now + term_s, **attempt)
        return None if row is None else _delivery(row)

    def renew(self, delivery_id: int, owner: str, now: float, term_s: float) -> None:
        """Extend the lease of a delivery that takes long; LeaseLost."""
        leases.change(self._connection, deliveries.c.delivery_id, delivery_id, owner, lease_until=now + term_s)

    def sent(self, delivery_id: int, owner: str, now: float, statuses: Mapping[str, str], reason: str = "") -> None:
        """The peer took every object; `reason` holds its warnings. LeaseLost."""
        self._end(delivery_id, owner, statuses, reason, state=DeliveryState.SENT.value, sent_at=now)

    def postpone(
        self, delivery_id: int, owner: str, next_attempt_at: float, reason: str, statuses: Mapping[str, str]
    ) -> None:
        """Try again at `next_attempt_at`, unless its job has been superseded meanwhile. LeaseLost."""
        state = case((_JOB_SUPERSEDED, DeliveryState.SUPERSEDED.value), else_=DeliveryState.PENDING.value)
        self._end(delivery_id, owner, statuses, reason, state=state, next_attempt_at=next_attempt_at)

    def dead(self, delivery_id: int, owner: str, now: float, reason: str, statuses: Mapping[str, str]) -> None:
        """Give it up until a person retries it; `next_attempt_at` keeps when that was. LeaseLost."""
        self._end(delivery_id, owner, statuses, reason, state=DeliveryState.DEAD.value, next_attempt_at=now)

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

    def supersede_unsent(self, job_id: str, now: float) -> int:
        """Stop what has not left; gives the number. One that is leaving under a live lease is left to its sender."""
        unsent = (deliveries.c.job_id == job_id, among(deliveries.c.state, _UNSENT), leases.free(deliveries, now))
        stopped = update(deliveries).where(*unsent)
        values = {"state": DeliveryState.SUPERSEDED.value, "reason": "its job was superseded", **leases.NO_LEASE}
        return self._connection.execute(stopped.values(**values)).rowcount

    def forget(self, job_id: str) -> int:
        """Drop the job's deliveries, which it makes anew when it ends again; gives the number."""
        return self._connection.execute(delete(deliveries).where(deliveries.c.job_id == job_id)).rowcount

    def reap(self, now: float) -> int:
        """Give back the deliveries whose lease ran out; gives the number."""
        dead = update(deliveries).where(_PENDING, leases.lapsed(deliveries, now))
        return self._connection.execute(dead.values(**leases.NO_LEASE)).rowcount

    def _end(self, delivery_id: int, owner: str, statuses: Mapping[str, str], reason: str, **values: Any) -> None:
        told = {"statuses": dict(statuses), "reason": plain(reason)}
        key = deliveries.c.delivery_id
        leases.change(self._connection, key, delivery_id, owner, **told, **values, **leases.NO_LEASE)

    def _to_pending(self, delivery_id: int, now: float) -> None:
        this = deliveries.c.delivery_id == delivery_id
        state = self._locked(deliveries.c.state, this)
        check_step(DELIVERY_STEPS, f"delivery {delivery_id}", DeliveryState(state), DeliveryState.PENDING)
        fresh = {"state": DeliveryState.PENDING.value, "attempts": 0, "next_attempt_at": now, "reason": ""}
        self._connection.execute(update(deliveries).where(this).values(**fresh))

    def _deliveries(self, query: Select[Any]) -> Deliveries_:
        return [_delivery(row) for row in self._connection.execute(query)]


def _delivery(row: Row[Any]) -> Delivery:
    values = dict(row._mapping)
    return Delivery(study_instance_uid=values.pop("study_uid"), state=DeliveryState(values.pop("state")), **values)
