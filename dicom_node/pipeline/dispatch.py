"""COMPLETE → DISPATCHED or NOT_ROUTED: routes become jobs, and every verdict is journalled.

A study stays COMPLETE while an earlier one that it is to be compared with is on its way here (`prior_wait`).

Late images, corrected headers and rejection notes change a study's jobs only where they change a job's identity.
Then a new generation opens: the new jobs take the old ones' place, and what the old ones had not sent yet never
leaves. Results that had been delivered before their header was corrected wait for a person's word.

A study that retention removed and that is sent again makes nothing twice: the same images are the same job,
and fewer of them than a job had are no reason to replace its result by one of less.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dicom_node.indexed import indexed
from dicom_node.outgoing import send_kept
from dicom_node.pipeline.aside import Aside
from dicom_node.pipeline.identity import fresh_identity
from dicom_node.pipeline.installed import InstalledModel, closed
from dicom_node.pipeline.prior_wait import Compared, compare, keeps_waiting, tell_missed
from dicom_node.pipeline.priors import Priors, priors_of
from dicom_node.pipeline.succession import add_jobs, same_inputs, supersede
from dicom_node.routing.asked import decide_for
from dicom_node.routing.facts import StudyFacts
from dicom_node.routing.route import Routing
from dicom_node.routing.table import Decision, JobPlan, decide
from storage.database import Database, Transaction
from storage.lifecycle import JobMark, JobState, StudyState
from storage.records import Fetch, FetchPurpose, Job, Study

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dispatch:
    """Makes the jobs of complete studies."""

    database: Database
    routing: Routing
    models: Mapping[str, InstalledModel]
    revision: int = 0
    compare_priors: bool = True
    wait_s: float = 0.0  # for an earlier study that is on its way, at most
    name: str = field(default="dispatch")
    aside: Aside = field(default_factory=Aside)

    def step(self, now: float) -> bool:
        aside = self.aside.at(now)
        with self.database.reading() as tx:
            if not tx.studies.ready(now, but=aside, closed=self._closed):
                return False
        watching = self.aside.watching(self.database, self.name, now, self.revision)
        with watching as tell, self.database.transaction() as tx:
            ready = tx.studies.ready(now, but=aside, closed=self._closed)
            for study in ready:
                tell(study.study_instance_uid)
                self._dispatch(tx, study, now)
        return bool(ready)

    def _dispatch(self, tx: Transaction, study: Study, now: float) -> None:
        uid = study.study_instance_uid
        found = indexed(tx, study)
        decision = self._decide(study, found.facts(self.routing.vocabulary))
        earlier = [job for job in tx.jobs.of_study(uid) if not job.rejects]
        current = [job for job in earlier if job.state is not JobState.SUPERSEDED]
        corrections = {i.sop_instance_uid: i.correction for i in found.instances if i.correction}
        planned = [self._job(study, plan, earlier, corrections, now) for plan in decision.plans]
        planned = [_of_backfill(job, found.fetch) for job in planned]
        compared, refused = self._compared(tx, study, planned)
        patience_s = 0.0 if earlier or study.by_hand else self.wait_s  # what takes a result's place comes at once
        if keeps_waiting(tx, uid, compared, patience_s, now, self.revision):
            return
        self._record_verdicts(tx, uid, decision, now)
        for remark in refused:
            tx.journal.add(now, "prior refused", remark, study=uid, revision=self.revision)
        planned = [one.made() for one in compared]
        fresh = [job for job in planned if not self._is_known(tx, job, current, corrections, now)]
        self._send_kept(tx, study, current, planned, now)
        since, new = tx.prior_waits.end(uid), {job.job_id for job in fresh}
        for one in compared:
            if one.job.job_id in new:
                tell_missed(tx, one, since, now, self.revision)
        generation = tx.studies.open_generation(uid) if fresh and earlier else study.generation
        wanted = {job.job_id for job in planned}  # also by a second route, where the job bears the first one's name
        outlived = [old for old in current if old.job_id not in wanted]
        for job in fresh:
            outlived = self._supersede(tx, outlived, job, generation, now)
        add_jobs(tx, fresh, generation, now, self.revision)
        routed = bool(planned or earlier)
        tx.studies.move(uid, StudyState.DISPATCHED if routed else StudyState.NOT_ROUTED, now)
        if not routed:
            text = "no route wanted this study; it is kept"
            if decision.withheld:
                names = ", ".join(decision.withheld)
                text = f"it is kept; once model {names} is enabled again, `segnode route {uid}` has routes look anew"
            tx.journal.add(now, "not routed", text, study=uid, revision=self.revision)
        log.info("study dispatched", extra={"study": uid, "jobs": len(fresh), "routed": routed})

    @property
    def _closed(self) -> list[str]:
        """Models whose jobs wait until somebody enables them: nothing waits for those."""
        return list(closed(self.models.values()))

    def _decide(self, study: Study, facts: StudyFacts) -> Decision:
        """By the routes, or for the only task that a person wants."""
        shut = closed(self.models.values())
        if study.wanted_task:
            return decide_for(self.routing.routes, facts, study.wanted_task, shut)
        return decide(self.routing.routes, facts, shut)

    def _send_kept(
        self, tx: Transaction, study: Study, current: Sequence[Job], planned: Sequence[Job], now: float
    ) -> None:
        """What was made of a study while it was a person's alone leaves where the routes want just that."""
        wanted = {job.job_id for job in planned}
        for job in current:
            if job.job_id in wanted and not study.by_hand:
                send_kept(tx, job, self.revision, now)

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

    def _job(
        self, study: Study, plan: JobPlan, earlier: Sequence[Job], corrections: Mapping[str, str], now: float
    ) -> Job:
        model = self.models[plan.model]
        inputs = {
            role: {"series": series, "instances": list(instances)} for role, (series, instances) in plan.inputs.items()
        }
        identity = model.name_for_jobs
        # Where a result goes is no part of what it is, and the model's identity stands for its settings.
        defining = {"task": dict(plan.parameters), "outputs": list(plan.outputs)}
        parameters: dict[str, Any] = defining | {"model": dict(model.settings), "destinations": list(plan.destinations)}
        if study.incomplete:
            parameters["incomplete"] = study.incomplete
        if plan.notes:
            parameters["notes"] = list(plan.notes)
        if study.by_hand:
            parameters["by_hand"] = True
        ended = {job.job_id for job in earlier if job.state is JobState.SUPERSEDED}
        job = Job(
            job_id=fresh_identity(ended, plan.task, inputs, identity, defining, corrections=corrections),
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
        before = [old.job_id for old in earlier if self._succeeds(job, old)]
        return replace(job, parameters=parameters | {"replaces": before[-1]}) if before else job

    def _succeeds(self, job: Job, old: Job) -> bool:
        """Whether `job` is what takes the place of `old`, where that is not to stand: both are of one route.

        One that is there no more, since it was renamed or deleted, is taken for that which now wants the same of one of
        its series: nobody else would ever end what it made.
        """
        if old.route == job.route:
            return True
        gone = all(route.name != old.route for route in self.routing.routes)
        return gone and old.task == job.task and bool(_series(old) & _series(job))

    def _compared(
        self, tx: Transaction, study: Study, planned: Sequence[Job]
    ) -> tuple[list[Compared], tuple[str, ...]]:
        """What each job's result is compared with, which is no part of what the job is; and which studies never are."""
        priors = priors_of(tx, study) if planned and self.compare_priors else Priors()
        return [compare(tx, priors, job, self._closed) for job in planned], priors.remarks

    def _is_known(
        self, tx: Transaction, job: Job, current: Sequence[Job], corrections: Mapping[str, str], now: float
    ) -> bool:
        """Whether one of the study's jobs stands for this one already; what retention has to do with it is told."""
        corrected = any(uid in corrections for source in job.inputs.values() for uid in source["instances"])
        for old in current:
            one, same = old.job_id == job.job_id, same_inputs(job.inputs, old.inputs)
            if not one and not (self._succeeds(job, old) and _is_part(job.inputs, old.inputs)):
                continue
            removed = tx.results.removed(old.job_id)
            if old.mark is not JobMark.NONE and (one or same or removed):
                return True  # it would only say in corrected words what was delivered or even rejected there
            if removed and (one or not corrected):  # corrections that are known came after the removal
                self._tell_known(tx, job, old, "these images" if same else "these images and more", now)
                return True
            if one:
                return True
        return False

    def _tell_known(self, tx: Transaction, job: Job, old: Job, images: str, now: float) -> None:
        uid = job.study_instance_uid
        text = f"route {job.route}: the result of {images} was made before they were removed and sent again"
        advice = f"it is not made twice; `segnode retry {uid} --resend` makes it again under the same UIDs"
        tx.journal.add(now, "known", f"{text}; {advice}", study=uid, job=old.job_id, revision=self.revision)

    def _supersede(
        self, tx: Transaction, current: Sequence[Job], new: Job, generation: int, now: float
    ) -> list[Job]:
        """End those whose place the new one takes; gives the others."""
        ended = [old for old in current if self._succeeds(new, old)]
        for old in ended:
            why = "late images or a rejection note changed its inputs"
            if same_inputs(old.inputs, new.inputs):
                why = "a correction changed the header that its results copy"
                if any(old.parameters.get(key) != new.parameters.get(key) for key in ("model", "task", "outputs")):
                    why = "its route names another model or other parameters"
            supersede(tx, old, why, generation, now, self.revision)
        return [old for old in current if old not in ended]


def _series(job: Job) -> set[str]:
    return {source["series"] for source in job.inputs.values()}


def _is_part(inputs: Mapping[str, Any], of: Mapping[str, Any]) -> bool:
    """Whether every role has no other instances than it had there."""
    return all(
        role in of and set(source["instances"]) <= set(of[role]["instances"]) for role, source in inputs.items()
    )


def _of_backfill(job: Job, fetch: Fetch | None) -> Job:
    """The job behind all others where its study was pulled from an archive by a person's wish."""
    if fetch is None or fetch.purpose is not FetchPurpose.PROCESS:
        return job
    return replace(job, priority=min(job.priority, int(fetch.policy.get("priority", job.priority))))
