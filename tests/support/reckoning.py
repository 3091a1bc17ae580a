"""Small studies that are sent while things die, and the reckoning afterwards: what was lost, and what came twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.acquisition import Acquisition
from inference.writers.dicom_series import StudyDetails, write_series
from storage.archive import Archive
from storage.database import Database
from storage.lifecycle import DeliveryState, JobState, StudyState


def images_of(name: str, folder: Path, slices: int) -> list[Path]:
    """A small CT with a bright cube in it; `name` and nothing else tells its study."""
    array = np.full((slices, 24, 24), 40, np.float32)
    array[4:9, 8:14, 8:14] = 400
    affine = regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3, 2, 2))
    details = StudyDetails.of(name)
    grid = Grid(array.shape, affine, f"{details.study_instance_uid}.9")
    return write_series(Volume(array, grid, "HU"), Acquisition.ct(details), folder)


def settled(database: Database, studies: int) -> bool:
    """Whether so many studies have come to their end, and every delivery has left."""
    with database.reading() as tx:
        states, jobs, deliveries = tx.studies.counts(), tx.jobs.counts(), tx.deliveries.counts()
    return (
        set(states) == {StudyState.DISPATCHED}
        and sum(states.values()) == studies
        and set(jobs) <= {JobState.DONE, JobState.SUPERSEDED}
        and set(deliveries) <= {DeliveryState.SENT, DeliveryState.COMMITTED, DeliveryState.SUPERSEDED}
    )


@dataclass
class Reckoned:
    """`wanted` are the results that count at the end; those of jobs that were superseded may be there too."""

    studies: int = 0
    superseded_jobs: int = 0
    stored: Counter[str] = field(default_factory=Counter)  # images, by UID
    wanted: set[str] = field(default_factory=set)
    possible: set[str] = field(default_factory=set)

    def lost(self, sent: Collection[str], held: Collection[str]) -> int:
        """Of what was acknowledged to a sender, and of the results that the PACS does not hold."""
        return len(set(sent) - set(self.stored)) + len(self.wanted - set(held))

    def duplicate(self, held: Collection[str]) -> int:
        """Images that are here more than once, and results that the PACS holds and nobody made."""
        return sum(number - 1 for number in self.stored.values()) + len(set(held) - self.possible)


def reckon(database: Database, archive: Archive, slices: int) -> Reckoned:
    """Read every file, and make sure that each study has one result, of all its images."""
    found = Reckoned()
    with database.reading() as tx:
        for study in tx.studies.list(limit=10_000):
            instances = tx.studies.instances(study_uid=study.study_instance_uid, conflicts=True)
            for instance in instances:
                archive.read(instance.file)
            found.stored.update(i.sop_instance_uid for i in instances if i.kind.value == "image")
            jobs = tx.jobs.of_study(study.study_instance_uid)
            (current,) = [job for job in jobs if job.state is JobState.DONE]
            assert len(current.inputs["CT"]["instances"]) == slices
            found.wanted |= {r.sop_instance_uid for r in tx.results.of_job(current.job_id)}
            found.possible |= {r.sop_instance_uid for job in jobs for r in tx.results.of_job(job.job_id)}
            found.superseded_jobs += len(jobs) - 1
            found.studies += 1
    return found
