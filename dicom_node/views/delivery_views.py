"""What a person asks about deliveries, as plain data: which there are, what the peer said, what to do; no patient."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dicom_node.network.statuses import is_stored
from storage.database import Transaction
from storage.lifecycle import DeliveryState
from storage.records import Circuit, Delivery


def delivery_view(delivery: Delivery) -> dict[str, Any]:
    """One delivery: to whom, where it stands, why. `via` is who really got it, where that is another."""
    return {
        "delivery": delivery.delivery_id,
        "job": delivery.job_id,
        "destination": delivery.destination,
        "via": delivery.via,
        "state": str(delivery.state),
        "attempts": delivery.attempts,
        "tried_at": delivery.tried_at,
        "next_attempt_at": delivery.next_attempt_at,
        "reason": delivery.reason,
        "statuses": delivery.statuses,
    }


def deliveries_view(
    tx: Transaction,
    *,
    dead: bool = False,
    destination: str | None = None,
    limit: int = 50,
    before: int | None = None,
    states: Collection[DeliveryState] | None = None,
) -> list[dict[str, Any]]:
    """The newest deliveries, or dead letters alone, each with what to do about it; `before` turns the page."""
    states = [DeliveryState.DEAD] if dead else states
    circuits = {circuit.destination: circuit for circuit in tx.circuits.in_trouble()}
    found = tx.deliveries.list(states=states, limit=limit, destination=destination, before=before)
    objects = tx.gathered.objects({delivery.job_id for delivery in found})
    return [
        {
            "study": delivery.study_instance_uid,
            **delivery_view(delivery),
            "created_at": delivery.created_at,
            "queued_at": delivery.queued_at,
            "sent_at": delivery.sent_at,
            "objects": objects[delivery.job_id, delivery.variant],
            "stored": sum(map(is_stored, delivery.statuses.values())),
            "to_do": _to_do(delivery, circuits),
        }
        for delivery in found
    ]


def destinations_view(tx: Transaction) -> list[dict[str, Any]]:
    """Destinations for which something waits: how much, and since when one is down and when it is tried again."""
    waiting = tx.outbox.waiting()
    troubled = {circuit.destination: circuit for circuit in tx.circuits.in_trouble()} if waiting else {}
    circuits = [troubled.get(name, Circuit(name)) for name in sorted(waiting)]
    return [
        {
            "destination": circuit.destination,
            "waiting": waiting[circuit.destination],
            "down_since": circuit.down_since if circuit.open else None,
            "next_try_at": circuit.next_try_at,
            "failures": circuit.failures,
            "reason": circuit.reason,
        }
        for circuit in circuits
    ]


def _to_do(delivery: Delivery, circuits: Mapping[str, Circuit]) -> str:
    """What a person does about it; "" where nothing is to be done."""
    study, name = delivery.study_instance_uid, delivery.destination
    if delivery.state is DeliveryState.DEAD:
        return (
            f"mend what the reason names, then `segnode retry {study}` sends it again, "
            f"or `segnode retry --destination {name}` all dead letters to {name}"
        )
    if delivery.state is DeliveryState.HELD:
        return f"`segnode retry {study} --release` lets it go"
    circuit = circuits.get(name)
    if delivery.state is DeliveryState.PENDING and circuit is not None and circuit.open:
        return f"nothing once {name} is back: it goes by itself; `segnode retry --destination {name}` tries at once"
    return ""
