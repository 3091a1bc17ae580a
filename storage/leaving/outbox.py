"""Who sends what next: each destination's queue of deliveries, and how many of them leave at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func, literal, or_, select, update

from storage import leases
from storage.deliveries import PENDING, delivery_of
from storage.leaving.circuits import Circuits
from storage.records import Circuit, Delivery
from storage.sql.store import Store
from storage.sql.words import EMPTY, at_most
from storage.tables import deliveries, jobs

_IS_NOTE = exists(select(1).where(jobs.c.job_id == deliveries.c.job_id, jobs.c.rejects != EMPTY)).correlate(deliveries)


@dataclass(frozen=True)
class Sender:
    """Who asks for work: a destination, how many deliveries it takes at a time, and for whom it stands in.

    `stands_in` says, by destination, who must have been down for how many seconds before its deliveries come here.
    `alternatives` are those that stand in for it.
    """

    destination: str
    concurrency: int = 1
    stands_in: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    alternatives: Collection[str] = ()


class Outbox(Store):
    """The queues of one transaction: by priority, then who waits longest.

    A delivery of which one destination holds a part (`via`) goes to no other, as long as that one stands in. While a
    circuit is open, one delivery at a time goes, when its pause is over: the one whose turn was longest ago, so that
    none blocks the rest. A rejection note waits for its own destination, which alone holds what it rejects.
    """

    def due(self, sender: Sender, now: float) -> bool:
        """Whether `claim` would find a delivery."""
        circuit = Circuits(self._connection).get(sender.destination)
        if not self._room(sender, circuit, now):
            return False
        return any(self._exists(queue) for queue in self._queues(sender, now))

    def claim(self, sender: Sender, owner: str, now: float, term_s: float) -> Delivery | None:
        """Lease the delivery whose turn it is, and count the attempt."""
        circuit = Circuits(self._connection).locked(sender.destination)
        if not self._room(sender, circuit, now):
            return None
        told_here = deliveries.c.via.in_((sender.destination, EMPTY))  # what another has said counts no more
        attempt = {
            "attempts": deliveries.c.attempts + 1,
            "tried_at": now,
            "via": sender.destination,
            "statuses": case((told_here, deliveries.c.statuses), else_=literal({}, deliveries.c.statuses.type)),
        }
        for queue in self._queues(sender, now):
            first = _in_order(select(deliveries.c.delivery_id).where(queue), circuit)
            row = leases.take(self._connection, first, owner, now + term_s, **attempt)
            if row is not None:
                return delivery_of(row)
        return None

    def waiting(self) -> dict[str, int]:
        """How many deliveries wait or are under way, by destination."""
        query = select(deliveries.c.destination, func.count()).where(PENDING).group_by(deliveries.c.destination)
        return {name: number for name, number in self._connection.execute(query)}  # noqa: C416 (rows are no pairs to dict)

    def restore_order(self, destination: str, now: float) -> int:
        """Give those their place back that were postponed by no fault of theirs; gives the number."""
        theirs = (PENDING, deliveries.c.destination == destination, deliveries.c.next_attempt_at > now)
        blameless = (deliveries.c.faults == 0, leases.free(deliveries, now))
        placed = update(deliveries).where(*theirs, *blameless).values(next_attempt_at=deliveries.c.queued_at)
        return self._connection.execute(placed).rowcount

    def hopeless(self, now: float, queued_before: float, known: Collection[str], limit: int = 100) -> list[Delivery]:
        """Deliveries that wait since before `queued_before`, or for a destination that is not `known`."""
        lost = or_(deliveries.c.queued_at < queued_before, deliveries.c.destination.not_in(known))
        query = select(deliveries).where(PENDING, leases.free(deliveries, now), lost)
        oldest = query.order_by(deliveries.c.queued_at, deliveries.c.delivery_id).limit(at_most(limit))
        return [delivery_of(row) for row in self._connection.execute(oldest)]

    def _room(self, sender: Sender, circuit: Circuit, now: float) -> bool:
        if circuit.next_try_at is not None and now < circuit.next_try_at:
            return False
        leased = (deliveries.c.via == sender.destination, leases.alive(deliveries, now))
        under_way = self._connection.execute(select(func.count()).select_from(deliveries).where(*leased)).scalar_one()
        return bool(under_way < (1 if circuit.open else sender.concurrency))

    def _queues(self, sender: Sender, now: float) -> Iterator[ColumnElement[bool]]:
        """Its own queue, then those of the destinations that it stands in for."""
        due = PENDING & (deliveries.c.next_attempt_at <= now) & leases.free(deliveries, now)
        begun_here = deliveries.c.via == sender.destination
        # Who has begun one and does not stand in any more, as where it is configured no more, would never end it.
        its_own = due & (deliveries.c.destination == sender.destination)
        yield its_own & deliveries.c.via.not_in(list(sender.alternatives)) if sender.alternatives else its_own
        circuits = Circuits(self._connection)
        for destination, must_be_down in sender.stands_in.items():
            theirs = due & (deliveries.c.destination == destination)
            if all(circuits.get(name).down_for(seconds, now) for name, seconds in must_be_down.items()):
                open_to_us = (deliveries.c.via == EMPTY) & ~_has_its_own(sender.destination) & ~_IS_NOTE
                yield theirs & (begun_here | open_to_us)
            else:
                yield theirs & begun_here


def _in_order(queue: Select[Any], circuit: Circuit) -> Select[Any]:
    if circuit.open:
        return queue.order_by(deliveries.c.next_attempt_at, deliveries.c.delivery_id)
    return queue.order_by(deliveries.c.priority.desc(), deliveries.c.queued_at, deliveries.c.delivery_id)


def _has_its_own(destination: str) -> ColumnElement[bool]:
    """The job's result goes to `destination` anyway."""
    other = deliveries.alias()
    same_job = (other.c.job_id == deliveries.c.job_id, other.c.destination == destination)
    return exists(select(1).where(*same_job)).correlate(deliveries)
