"""A model's shadow answers on the images of a job that is done: behind all jobs, in a worker of its own.

Both masks are compared on the grid of the source, and that is kept. Nothing of it is a result: nothing is written to
the archive, nothing is sent. A shadow that fails leaves its reason, and as soon as a job comes it makes way.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dicom_node.objects.corrected import BadSegmentation
from dicom_node.objects.on_grid import Labels
from dicom_node.pipeline.give_way import GiveWay
from dicom_node.pipeline.idle import idle
from dicom_node.pipeline.inputs import inputs_of
from dicom_node.pipeline.installed import InstalledModel, closed
from dicom_node.pipeline.keeper import Keeper
from dicom_node.pipeline.made import Made, labels_of
from inference.errors import ModelError, Unfit, WorkerDied
from inference.evaluation.compare import compare
from inference.evaluation.metrics import dice
from inference.executors.base import Executor
from inference.findings import Result
from inference.request import Request
from inference.volume import Grid
from storage.archive import Archive
from storage.database import Database, Transaction
from storage.errors import NotFound, Unavailable
from storage.working.shadows import Shadow

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 3  # of which each ended with the whole process


@dataclass(frozen=True)
class RunShadows:
    """Runs them one at a time, while the node is idle; `executor` makes a worker for each."""

    database: Database
    archive: Archive
    executor: Callable[[], Executor]
    models: Mapping[str, InstalledModel]
    lease_term_s: float
    time_limit_s: float
    scratch: Path
    owner: str
    clock: Callable[[], float] = time.time
    name: str = "shadow"

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.shadows.waiting(now) or not self._has_time(tx, now):
                return False
        with self.database.transaction() as tx:
            shadow = tx.shadows.claim(self.owner, now, self.lease_term_s) if self._has_time(tx, now) else None
        if shadow is None:
            return False
        scratch = self.scratch / f"shadow-{shadow.shadow_id}-{shadow.attempts}"
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            self._judge(shadow, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return True

    def _has_time(self, tx: Transaction, now: float) -> bool:
        """No job waits or runs, and no model is being tried, which would measure this as well."""
        return idle(tx, now, closed(self.models.values())) and tx.benches.open() is None

    def _judge(self, shadow: Shadow, scratch: Path) -> None:
        """Keep how it answered, or why it did not."""
        try:
            version, mean, answer = self._compared(shadow, scratch)
        except WorkerDied as died:
            self._failed(shadow, str(died), made_way=died.stopped)
        except (Unfit, ModelError, BadSegmentation, NotFound) as reason:
            self._failed(shadow, str(reason))
        except Unavailable as trouble:
            self._failed(shadow, str(trouble), made_way=True)
            raise
        else:
            with self.database.transaction() as tx:
                at = self.clock()
                tx.shadows.done(shadow.shadow_id, self.owner, at, version=version, mean_dice=mean, answer=answer)
            log.info("shadow %s has answered", shadow.shadow, extra={"job": shadow.job_id})

    def _failed(self, shadow: Shadow, reason: str, *, made_way: bool = False) -> None:
        with self.database.transaction() as tx:
            if made_way:
                tx.shadows.give_back(shadow.shadow_id, self.owner)
            else:
                version = self.models[shadow.shadow].identity.version if shadow.shadow in self.models else ""
                tx.shadows.failed(shadow.shadow_id, self.owner, self.clock(), reason, version)
        log.info("shadow %s %s", shadow.shadow, "makes way" if made_way else "failed", extra={"job": shadow.job_id})

    def _compared(self, shadow: Shadow, scratch: Path) -> tuple[str, float, dict[str, Any]]:
        """The shadow's version, the mean Dice with the job's own answer, and both sides as plain data."""
        if shadow.attempts > MOST_ATTEMPTS:
            raise ModelError(f"the node ended under it {MOST_ATTEMPTS} times")
        model, made = self._model(shadow), self._made(shadow)
        if made.job.summary.get("findings") and not made.segs:
            raise BadSegmentation("its job made no segmentation to compare it with")
        result = self._run(shadow, made, model, scratch)
        sides = sides_of(made, labels_of(made, self.archive, result.grid), _labels(result), result.grid)
        times = (made.job.summary.get("seconds", {}), result.seconds)
        seconds, shadow_seconds = (round(sum(one.values()), 3) for one in times)
        answer = {"regions": sides, "seconds": seconds, "shadow_seconds": shadow_seconds}
        mean = sum(one["dice"] for one in sides) / len(sides) if sides else 1.0
        return result.model.version, mean, answer

    def _model(self, shadow: Shadow) -> InstalledModel:
        model = self.models.get(shadow.shadow)
        if model is None:
            raise NotFound(f"no model {shadow.shadow} is installed any more")
        if model.closed:
            raise ModelError(f"model {model.name} {model.closed}")
        return model

    def _made(self, shadow: Shadow) -> Made:
        with self.database.reading() as tx:
            job = tx.jobs.get(shadow.job_id)
            return Made(job, tuple(tx.results.of_job(job.job_id)))

    def _run(self, shadow: Shadow, made: Made, model: InstalledModel, scratch: Path) -> Result:
        """The shadow's answer. WorkerDied, `stopped` where a job came; and what an executor raises."""
        with inputs_of(self.database, self.archive, made.job) as inputs:
            request = Request(
                job_id=made.job.job_id,
                task=made.job.task,
                inputs=inputs,
                model=dict(model.settings),
                scratch=scratch,
                parameters=made.job.parameters.get("task", {}),
                time_limit_s=self.time_limit_s,
            )
            return self._answer(shadow, request)

    def _answer(self, shadow: Shadow, request: Request) -> Result:
        term, worker = self.lease_term_s, self.executor()
        renew = Keeper(
            self.database, lambda tx: tx.shadows.renew(shadow.shadow_id, self.owner, time.time() + term), term
        )
        worker.start()
        try:
            with renew, GiveWay(self.database, worker.stop, closed(self.models.values())):
                return worker.run(request, lambda *_: None)
        finally:
            worker.stop()


def sides_of(made: Made, ours: Labels, theirs: Labels, grid: Grid) -> list[dict[str, Any]]:
    """Of each structure, and each union of them, that either mask has: Dice of the two, and both volumes in ml."""
    compared = compare(ours, theirs, made.card, grid)
    regions = [(one.name, one.dice, one.found_ml, one.truth_ml) for one in compared.structures]
    for name, labels in made.card.totals:
        a, b = (np.isin(mask, labels) for mask in (ours, theirs))
        if a.any() or b.any():
            regions.append((name, dice(a, b), float(a.sum()) * grid.voxel_ml, float(b.sum()) * grid.voxel_ml))
    return [
        {"region": name, "dice": round(alike, 4), "ml": round(one, 3), "shadow_ml": round(other, 3)}
        for name, alike, one, other in regions
    ]


def _labels(result: Result) -> Labels:
    """The task's labels (z, y, x) on the source grid, where the answer numbers findings."""
    labels = np.zeros(len(result.findings) + 1, np.uint8)
    for finding in result.findings:
        labels[finding.number] = finding.structure.label
    return np.asarray(labels[np.load(result.labelmap)])
