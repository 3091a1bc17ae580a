"""How one job takes another's place: what the old one had not sent never leaves, and the journal says why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def add_jobs(tx: Transaction, jobs: Iterable[Job], generation: int, now: float, revision: int = 0) -> int:
    """Queue jobs of `generation`; gives how many.

    What several routes want alike is one job, the first one's, and goes to the destinations of all.
    """
    alike: dict[str, list[Job]] = {}
    for job in jobs:
        alike.setdefault(job.job_id, []).append(job)
    for same in alike.values():
        job, *others = same
        to = list(dict.fromkeys(name for one in same for name in one.parameters.get("destinations", ())))
        priority = max(one.priority for one in same)
        parameters = job.parameters | {"destinations": to}
        tx.jobs.add(replace(job, generation=generation, priority=priority, parameters=parameters))
        text = f"route {job.route}: {job.task} with model {job.model}, generation {generation}"
        _tell_made(tx, job, text, now, revision)
        for one in others:
            theirs = " and ".join(one.parameters.get("destinations", ())) or "nobody"
            text = f"route {one.route}: the same as route {job.route}; what that makes goes to {theirs} as well"
            _tell_made(tx, one, text, now, revision)
    return len(alike)


def _tell_made(tx: Transaction, job: Job, text: str, now: float, revision: int) -> None:
    study, detail = job.study_instance_uid, {"inputs": {role: one["series"] for role, one in job.inputs.items()}}
    tx.journal.add(now, "job made", text, study=study, job=job.job_id, revision=revision, detail=detail)


def same_inputs(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both inputs have the same instances in the same roles."""
    first, second = ({role: sorted(source["instances"]) for role, source in inputs.items()} for inputs in (one, other))
    return first == second
