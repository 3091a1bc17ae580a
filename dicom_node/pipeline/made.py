"""What this node made of a study: its finished jobs, each with the objects that are its result."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dicom_node.objects.corrected import BadSegmentation, read_segmentation
from dicom_node.objects.identity import JobNames
from dicom_node.objects.on_grid import Labels, lay_on
from inference.tasks import TASKS
from inference.tasks.card import TaskCard
from inference.volume import Grid
from storage.archive import Archive
from storage.database import Transaction
from storage.lifecycle import JobState
from storage.records import Job, ResultObject

SEG = "seg"
REPORTS = ("sr", "summary", "diameters")


class Made(NamedTuple):
    """A finished job and its result."""

    job: Job
    results: tuple[ResultObject, ...]

    @property
    def card(self) -> TaskCard:
        return TASKS[self.job.task]

    @property
    def source(self) -> dict[str, Any]:
        """The series that the answer lies on, and its instances."""
        found: dict[str, Any] = self.job.inputs[self.card.primary]
        return found

    @property
    def segs(self) -> tuple[ResultObject, ...]:
        """Its segmentations, in one form of them: every form holds the same voxels."""
        segs = [result for result in self.results if result.kind == SEG]
        form = min((seg.variant for seg in segs), default="")
        return tuple(seg for seg in segs if seg.variant == form)

    @property
    def reports(self) -> tuple[ResultObject, ...]:
        """Its reports, in every form."""
        return tuple(result for result in self.results if result.kind in REPORTS)

    @property
    def labels(self) -> dict[str, str]:
        """What its findings are called, by tracking UID."""
        names = JobNames(self.job.job_id)
        findings = enumerate(self.job.summary.get("findings", ()), start=1)
        return {one.get("tracking_uid") or names.tracking(str(n)): one.get("label", "") for n, one in findings}

    def tracking_uids(self, *, person: bool) -> set[str]:
        """By which others' objects are told to be about it. A prior's lesions are known to other nodes too.

        So what no `person` stands behind is told by the names alone that this job gave.
        """
        names = JobNames(self.job.job_id)
        given = {names.tracking(str(n)) for n, _ in enumerate(self.job.summary.get("findings", ()), start=1)}
        return {uid for uid in self.labels if person or uid in given}

    @property
    def uids(self) -> set[str]:
        """The SOP Instance UIDs of its segmentations and reports, and the UIDs of their series."""
        cited = [result for result in self.results if result.kind in (SEG, *REPORTS)]
        return {uid for one in cited for uid in (one.sop_instance_uid, one.series_instance_uid)}


def labels_of(of: Made, archive: Archive, grid: Grid) -> Labels:
    """What a job found, in its task's labels on the grid that it lies on, from the objects that it made.

    Nothing where it found nothing; BadSegmentation where these objects cannot tell.
    """
    found = np.zeros(grid.shape, np.uint8)
    if not of.segs and of.job.summary.get("findings"):
        raise BadSegmentation("its job made no segmentation to compare it with")
    for seg in of.segs:
        if seg.removed_at is not None:
            raise BadSegmentation("the segmentation that its job made is no longer held")
        with archive.local([seg.file]) as (path,):
            np.maximum(found, lay_on(read_segmentation(path), grid, of.card).labels, out=found)
    return found


def made_of(tx: Transaction, study_uid: str) -> list[Made]:
    """The results that stand of a study, oldest first."""
    return [
        Made(job, tuple(tx.results.of_job(job.job_id)))
        for job in tx.jobs.of_study(study_uid)
        if job.state is JobState.DONE and not job.rejects and job.task in TASKS
    ]
