"""Which earlier results a job's reports name as their predecessors."""

from __future__ import annotations

from storage.database import Transaction
from storage.lifecycle import LEFT
from storage.records import Job, ResultObject


def predecessors(tx: Transaction, job: Job, variant: str = "") -> list[ResultObject]:
    """The objects of the newest earlier generation that somebody outside holds; those that never left are nobody's.

    Of this variant; of all where it had none such, since the profile was another then.
    """
    name, seen = job.parameters.get("replaces", ""), {job.job_id}
    while name and name not in seen:
        seen.add(name)
        old = tx.jobs.find(name)
        if old is None:
            return []
        if any(delivery.state in LEFT for delivery in tx.deliveries.of_job(name)):
            return tx.results.of_job(name, variant) or tx.results.of_job(name)
        name = old.parameters.get("replaces", "")
    return []
