"""`segnode run`: a study's result made by another model than its route names, by a person's word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicom_node.pipeline.identity import fresh_identity
from dicom_node.pipeline.succession import add_jobs, supersede
from storage.database import Transaction
from storage.errors import IllegalStep, NotFound
from storage.lifecycle import JobState, StudyState
from storage.records import Job

if TYPE_CHECKING:
    from dicom_node.pipeline.installed import InstalledModel


def run_with(tx: Transaction, now: float, study_uid: str, model: InstalledModel, revision: int = 0) -> int:
    """Queue the study's jobs of the model's task again, with this model; gives how many. NotFound, IllegalStep.

    The same images, outputs and destinations: the new result takes the old one's place as a new generation. Where
    the study is routed anew (late images, `segnode route`), the model of the route comes back.
    """
    study = tx.studies.get(study_uid)
    if model.closed:
        raise IllegalStep(f"model {model.name} {model.closed}: enable it first")
    if study.state is not StudyState.DISPATCHED:
        raise IllegalStep(f"study {study_uid} is {study.state}: a model runs on what was routed and is here")
    jobs = tx.jobs.of_study(study_uid)
    of_task = [job for job in jobs if job.task == model.task and not job.rejects]
    current = [job for job in of_task if job.state is not JobState.SUPERSEDED]
    if not current:
        raise NotFound(f"no route gave study {study_uid} to a model for {model.task}")
    _check_held(tx, current)
    ended = {job.job_id for job in jobs if job.state is JobState.SUPERSEDED}
    corrections = {i.sop_instance_uid: i.correction for i in tx.studies.instances(study_uid=study_uid) if i.correction}
    planned = [_as(model, old, ended, corrections, now) for old in reversed(current)]  # it replaces the newest
    if known := {job.job_id for job in planned} & {job.job_id for job in current}:
        raise IllegalStep(f"model {model.name} has this study already: job {min(known)}")
    generation = tx.studies.open_generation(study_uid)
    for old in current:
        supersede(tx, old, f"a person asked for model {model.name}", generation, now, revision)
    return add_jobs(tx, planned, generation, now, revision)


def _as(model: InstalledModel, old: Job, ended: set[str], corrections: dict[str, str], now: float) -> Job:
    """The job `old` for another model, not begun."""
    defining = {"task": old.parameters.get("task", {}), "outputs": old.parameters.get("outputs", [])}
    parameters: dict[str, Any] = {**old.parameters, "model": dict(model.settings), "replaces": old.job_id}
    return Job(
        job_id=fresh_identity(ended, old.task, old.inputs, model.name_for_jobs, defining, corrections=corrections),
        study_instance_uid=old.study_instance_uid,
        generation=old.generation,
        route=old.route,
        task=old.task,
        model=model.name,
        state=JobState.PENDING,
        priority=old.priority,
        inputs=old.inputs,
        parameters=parameters,
        created_at=now,
    )


def _check_held(tx: Transaction, jobs: list[Job]) -> None:
    wanted = [uid for job in jobs for source in job.inputs.values() for uid in source["instances"]]
    missing = set(wanted) - {instance.sop_instance_uid for instance in tx.studies.named(wanted)}
    if missing:
        raise IllegalStep(f"{len(missing)} of the images that the result was made of are not here any more")
