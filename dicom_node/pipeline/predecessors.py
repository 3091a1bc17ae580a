"""Which earlier results a job's reports name as their predecessors."""

from __future__ import annotations

from storage.database import Transaction
from storage.lifecycle import DeliveryState
from storage.records import Job, ResultObject

LEFT = (DeliveryState.SENT, DeliveryState.COMMITTED)


def predecessors(tx: Transaction, job: Job, variant: str = "") -> list[ResultObject]:
    """The objects of a variant of the newest earlier generation that somebody outside holds.

    Those that never left are nobody's.
    """
    name, seen = job.parameters.get("replaces", ""), {job.job_id}
    while name and name not in seen:
        seen.add(name)
        old = tx.jobs.find(name)
        if old is None:
            return []
        if any(one.state in LEFT and one.variant == variant for one in tx.deliveries.of_job(name)):
            return tx.results.of_job(name, variant)
        name = old.parameters.get("replaces", "")
    return []
