"""COMPLETE → DISPATCHED or NOT_ROUTED: routes become jobs, and every verdict is journalled.

Late images change a study's jobs only where they change a job's identity. Then a new generation opens:
the new jobs take the old ones' place, and what the old ones had not sent yet never leaves.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dicom_node.pipeline.identity import job_identity
from dicom_node.routing.facts import study_facts
from dicom_node.routing.route import Routing
from dicom_node.routing.table import Decision, JobPlan, decide
from inference.findings import ModelIdentity
from storage.database import Database, Transaction
from storage.lifecycle import JobState, StudyState
from storage.records import Fetch, FetchPurpose, Job, Study

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InstalledModel:
    """A model as configured: what an executor needs to run it, and who it is."""

    name: str
    task: str
    settings: Mapping[str, Any]
    identity: ModelIdentity


@dataclass(frozen=True)
class Dispatch:
    """Makes the jobs of complete studies."""

    database: Database
    routing: Routing
    models: Mapping[str, InstalledModel]
    revision: int = 0
    name: str = field(default="dispatch")

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            waiting = tx.studies.list(states=[StudyState.COMPLETE], limit=1)
        if not waiting:
            return False
        with self.database.transaction() as tx:
            study = tx.studies.get(waiting[0].study_instance_uid)
            if study.state is StudyState.COMPLETE:
                self._dispatch(tx, study, now)
        return True

    def _dispatch(self, tx: Transaction, study: Study, now: float) -> None:
        uid = study.study_instance_uid
        fetch = tx.fetches.find(uid)
        facts = study_facts(
            study, tx.studies.series(uid), tx.studies.instances(study_uid=uid), self.routing.vocabulary
        )
        refuse = fetch is not None and fetch.policy.get("incomplete") == "refuse"
        decision = decide(self.routing.routes, replace(facts, refuse_incomplete=refuse))
        self._record_verdicts(tx, uid, decision, now)
        current = [job for job in tx.jobs.of_study(uid) if job.state is not JobState.SUPERSEDED]
        known = {job.job_id for job in current}
        planned = [_of_backfill(self._job(study, plan, now), fetch) for plan in decision.plans]
        fresh = [job for job in planned if job.job_id not in known]
        generation = tx.studies.open_generation(uid) if fresh and current else study.generation
        for job in fresh:
            self._supersede(tx, current, job, generation, now)
            self._add(tx, job, generation, now)
        routed = bool(planned or current)
        tx.studies.move(uid, StudyState.DISPATCHED if routed else StudyState.NOT_ROUTED, now)
        if not routed:
            text = "no route wanted this study; it is kept"
            tx.journal.add(now, "not routed", text, study=uid, revision=self.revision)
        log.info("study dispatched", extra={"study": uid, "jobs": len(fresh), "routed": routed})

    def _record_verdicts(self, tx: Transaction, uid: str, decision: Decision, now: float) -> None:
        for verdict in decision.verdicts:
            tx.journal.add(
                now,
                "verdict",
                verdict.reason,
                study=uid,
                series=verdict.series_uid,
                revision=self.revision,
                detail={"route": verdict.route, "ok": verdict.ok},
            )

    def _job(self, study: Study, plan: JobPlan, now: float) -> Job:
        model = self.models[plan.model]
        inputs = {
            role: {"series": series, "instances": list(instances)} for role, (series, instances) in plan.inputs.items()
        }
        identity = {"name": model.identity.name, "version": model.identity.version, "sha256": model.identity.sha256}
        # Where a result goes is no part of what it is, and the model's identity stands for its settings.
        defining = {"task": dict(plan.parameters), "outputs": list(plan.outputs)}
        parameters = defining | {"model": dict(model.settings), "destinations": list(plan.destinations)}
        if study.incomplete:
            parameters["incomplete"] = study.incomplete
        return Job(
            job_id=job_identity(plan.task, inputs, identity, defining),
            study_instance_uid=study.study_instance_uid,
            generation=study.generation,
            route=plan.route,
            task=plan.task,
            model=plan.model,
            state=JobState.PENDING,
            priority=plan.priority,
            inputs=inputs,
            parameters=parameters,
            created_at=now,
        )

    def _supersede(self, tx: Transaction, current: Sequence[Job], new: Job, generation: int, now: float) -> None:
        for old in current:
            if old.route != new.route:
                continue
            reason = f"late images changed its inputs; generation {generation} takes its place"
            tx.jobs.supersede(old.job_id, now, reason)
            stopped = tx.deliveries.supersede_unsent(old.job_id, now)
            tx.journal.add(
                now,
                "superseded",
                f"job of route {old.route}: {reason}; {stopped} deliveries had not left and never will",
                study=old.study_instance_uid,
                job=old.job_id,
                revision=self.revision,
            )

    def _add(self, tx: Transaction, job: Job, generation: int, now: float) -> None:
        tx.jobs.add(replace(job, generation=generation))
        tx.journal.add(
            now,
            "job made",
            f"route {job.route}: {job.task} with model {job.model}, generation {generation}",
            study=job.study_instance_uid,
            job=job.job_id,
            revision=self.revision,
            detail={"inputs": {role: source["series"] for role, source in job.inputs.items()}},
        )


def _of_backfill(job: Job, fetch: Fetch | None) -> Job:
    """The job behind all others where its study was pulled from an archive by a person's wish."""
    if fetch is None or fetch.purpose is not FetchPurpose.PROCESS:
        return job
    return replace(job, priority=min(job.priority, int(fetch.policy.get("priority", job.priority))))
