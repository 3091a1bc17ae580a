"""How one job takes another's place: what the old one had not sent never leaves, and the journal says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from storage.database import Transaction
from storage.records import Job


def supersede(tx: Transaction, old: Job, why: str, generation: int, now: float, revision: int = 0) -> None:
    """End a job because one of `generation` takes its place."""
    reason = f"{why}; generation {generation} takes its place"
    tx.jobs.supersede(old.job_id, now, reason)
    stopped = tx.deliveries.supersede_unsent(old.job_id, now)
    tx.journal.add(
        now,
        "superseded",
        f"job of route {old.route}: {reason}; {stopped} deliveries had not left and never will",
        study=old.study_instance_uid,
        job=old.job_id,
        revision=revision,
    )


def add_job(tx: Transaction, job: Job, generation: int, now: float, revision: int = 0) -> None:
    """Queue a job of `generation`."""
    tx.jobs.add(replace(job, generation=generation))
    tx.journal.add(
        now,
        "job made",
        f"route {job.route}: {job.task} with model {job.model}, generation {generation}",
        study=job.study_instance_uid,
        job=job.job_id,
        revision=revision,
        detail={"inputs": {role: source["series"] for role, source in job.inputs.items()}},
    )


def same_inputs(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both inputs have the same instances in the same roles."""
    first, second = ({role: sorted(source["instances"]) for role, source in inputs.items()} for inputs in (one, other))
    return first == second
