"""Reviewed truth as training cases: images and corrected masks, numbered, without anything that names anybody.

Each task has a folder of its own, in it the layout of its data set and `cases.csv`: which cases are of one patient (by
a pseudonym, so that training keeps a patient in one group), which job and which review each is (both as hashes), and
the labels that the person's segmentation speaks of. A job is written once.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_node.errors import NodeError
from dicom_node.objects.corrected import BadSegmentation, read_segmentation
from dicom_node.objects.on_grid import lay_on
from dicom_node.patient import Patient
from dicom_node.support.pseudonyms import keyed
from inference.errors import Unfit
from inference.readers.dicom import read_series
from inference.tasks import TASKS
from inference.writers.training_layout import CASE, PATIENT, TABLE, is_free, write_case
from storage.archive import Archive
from storage.database import Database
from storage.records import Instance, Job
from storage.working.reviews import Reviewed

KEY = "export"  # among the node's: without it nobody finds the patient of a pseudonym
COLUMNS = (CASE, PATIENT, "job", "review", "labels")


@dataclass(frozen=True)
class Line:
    """What became of one reviewed job: its case number, or why it has none."""

    study_instance_uid: str
    job_id: str
    task: str
    case: int | None
    reason: str = ""


@dataclass(frozen=True)
class Source:
    """What one case is made of."""

    review: Reviewed
    job: Job
    seg: Instance
    images: dict[str, list[Instance]]
    patient: str  # pseudonym, "" where the study tells no patient ID


class Left(NodeError):
    """A job that becomes no case, with the reason."""


def export_reviewed(
    database: Database, archive: Archive, folder: Path, tasks: Collection[str] | None = None, since: float = 0.0
) -> Iterator[Line]:
    """Write every job with reviewed truth, of these tasks, that came since then and is not in `folder` yet. OSError.

    Nothing that is there is overwritten. The newest review of a job counts.
    """
    with database.transaction() as tx:
        key = bytes.fromhex(tx.keys.get(KEY))
        reviews = tx.reviews.counting(since, tasks)
    for review in reviews:
        with database.reading() as tx:
            job = tx.jobs.get(review.job_id)
        case, reason = None, ""
        try:
            case = _write(_source(database, key, review, job), archive, folder / job.task)
        except (Left, BadSegmentation, Unfit) as why:
            reason = str(why)
        yield Line(review.study_instance_uid, job.job_id, job.task, case, reason)


def _source(database: Database, key: bytes, review: Reviewed, job: Job) -> Source:
    with database.reading() as tx:
        header = tx.studies.get(review.study_instance_uid).header
        rejected = {one.sop_instance_uid for one in tx.rejections.of_study(review.study_instance_uid)}
        held = {i.sop_instance_uid: i for i in tx.studies.instances(study_uid=review.study_instance_uid)}
    wanted = {role: [str(uid) for uid in source["instances"]] for role, source in job.inputs.items()}
    every = {review.sop_instance_uid, *(uid for uids in wanted.values() for uid in uids)}
    if every & rejected:
        raise Left("a note has rejected the review, or an image behind it")
    if every - held.keys():
        raise Left("retention has removed the review, or an image behind it")
    images = {role: [held[uid] for uid in uids] for role, uids in wanted.items()}
    return Source(review, job, held[review.sop_instance_uid], images, _pseudonym(key, header))


def _pseudonym(key: bytes, header: Mapping[str, object]) -> str:
    """The same for one patient ID in every export of this node. Two people under one ID are better kept together."""
    patient_id = Patient.of(header).patient_id
    return f"patient-{keyed(key, patient_id)}" if patient_id else ""


def _write(source: Source, archive: Archive, folder: Path) -> int:
    card = TASKS[source.job.task]
    folder.mkdir(parents=True, exist_ok=True)
    rows = _rows(folder / TABLE)
    sha256 = hashlib.sha256(source.review.sop_instance_uid.encode()).hexdigest()
    for row in rows:
        if row["job"] == source.job.job_id:
            newer = "" if row["review"] == sha256 else " from an older review, which stays"
            raise Left(f"it is case {row['case']} already{newer}")
    volumes = {}
    for role, found in source.images.items():
        with archive.local([image.file for image in found]) as paths:
            volumes[role] = read_series(paths)
    with archive.local([source.seg.file]) as (path,):
        laid = lay_on(read_segmentation(path), volumes[card.primary].grid, card)
    number = 1 + max((int(row["case"]) for row in rows), default=0)
    while not is_free(card, number, folder):
        number += 1
    write_case(card, number, volumes, laid.labels, folder)
    labels = " ".join(map(str, sorted(laid.judged(card))))
    _begin(folder / TABLE, rows)
    with (folder / TABLE).open("a", newline="") as file:
        csv.writer(file).writerow([number, source.patient, source.job.job_id, sha256, labels])
    return number


def _begin(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """A table with our columns is there; one of before patients were told is written anew, in which they are empty."""
    if rows and PATIENT in rows[0]:
        return
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
