"""Segmentations and reports that arrived and are not ours: whether they correct a result of ours, and in what.

A segmentation that shares a tracking UID with our SEG, cites it, or was drawn on the images that a finished job read,
is reviewed truth of that job; of reports see review_report.py. It is compared with what the job made; row and journal
entry are one commit. It re-opens nothing. What cannot be used is journalled once, with its reason. Nobody's name is
kept.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dicom_node.assessments import Assessment
from dicom_node.objects.corrected import BadSegmentation, Segmentation, read_segmentation
from dicom_node.objects.corrected_report import BadReport, read_report
from dicom_node.objects.on_grid import Laid, lay_on, structure_of
from dicom_node.pipeline.aside import Aside
from dicom_node.pipeline.made import Made, labels_of, made_of
from dicom_node.pipeline.review_report import judge as judge_report
from dicom_node.review_words import review_in_words
from inference.errors import BadGeometry
from inference.evaluation.compare import Comparison, compare
from inference.readers.arrange import arrange
from inference.readers.headers import slice_headers
from inference.volume import Grid
from storage.archive import Archive
from storage.database import Database, Transaction
from storage.errors import Unavailable
from storage.records import REVIEWS, Instance, InstanceKind
from storage.working.reviews import Reviewed, ReviewKind

log = logging.getLogger(__name__)

BATCH = 20
MOST_UNKNOWN = 20


@dataclass(frozen=True)
class Review:
    """Reads others' segmentations and reports and keeps those that review a result of ours."""

    database: Database
    archive: Archive
    revision: int = 0
    name: str = "review"
    aside: Aside = field(default_factory=Aside)

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            kinds = [kind for kind in REVIEWS if tx.versions.any_unread(kind)]
            aside = self.aside.at(now)
            waiting = [instance for kind in kinds for instance in tx.versions.unread(kind, BATCH, but=aside)]
        with self.aside.watching(self.database, self.name, now, self.revision) as tell:
            for instance in waiting:
                tell(instance.study_instance_uid)
                self._read(instance, now)
        return bool(waiting)

    def _read(self, instance: Instance, now: float) -> None:
        refusal, review = "", None
        judge = self._report if instance.kind is InstanceKind.REPORT else self._segmentation
        try:
            review = judge(instance)
        except (BadReport, BadSegmentation, BadGeometry) as bad:
            refusal = str(bad)
        except Unavailable as trouble:
            self.aside.unread(self.database, instance, trouble, now, self.revision)
            return
        with self.database.transaction() as tx:
            if not tx.versions.mark_read(instance):
                return
            what = f"{instance.kind} {instance.sop_instance_uid}"
            if refusal:
                text = f"{what} is no review of a result of ours: {refusal}"
                self._journal(tx, instance, "no review", text, now)
            elif review is not None and tx.reviews.add(review):
                words = review_in_words(review.kind, review.summary)
                self._journal(tx, instance, "reviewed", f"{what} {words}", now, review.job_id)

    def _journal(self, tx: Transaction, instance: Instance, event: str, text: str, now: float, job: str = "") -> None:
        study, series = instance.study_instance_uid, instance.series_instance_uid
        tx.journal.add(now, event, text, study=study, series=series, job=job, revision=self.revision)
        log.info("%s read: %s", instance.kind, event, extra={"study": study})

    def _report(self, instance: Instance) -> Reviewed | None:
        """The review that a report is; None where nobody would take it for one, BadReport where somebody might."""
        study = instance.study_instance_uid
        with self.database.reading() as tx:
            made = made_of(tx, study)
            earlier = {one.sop_instance_uid: one.summary.get("replaces", ()) for one in tx.reviews.of_study(study)}
        if not made:
            return None
        with self.archive.local([instance.file]) as (path,):
            report = read_report(path)
        if report is None:  # dose reports are many
            return None
        job, summary = judge_report(report, made, earlier, self.archive)
        return Reviewed(instance.sop_instance_uid, job, study, instance.received_at, summary, ReviewKind.SR)

    def _segmentation(self, instance: Instance) -> Reviewed | None:
        """The review that a segmentation is; BadSegmentation with the reason where it is none.

        None of an earlier study's, fetched to compare with: nobody sent it back.
        """
        with self.database.reading() as tx:
            made = made_of(tx, instance.study_instance_uid)
        if not made and instance.fetched:
            return None
        if not made:
            raise BadSegmentation("no job of this study has finished")
        with self.archive.local([instance.file]) as (path,):
            seg = read_segmentation(path)
        of, by = subject_of(seg, made)
        grid = self._grid(of)
        truth = lay_on(seg, grid, of.card)
        found = labels_of(of, self.archive, grid)
        found[np.isin(found, sorted(truth.judged(of.card)), invert=True)] = 0
        summary = _summary(compare(found, truth.labels, of.card, grid), truth, of, by)
        if not np.array_equal(found, truth.labels):
            summary["assessment"] = str(Assessment.MODIFIED)
        elif not seg.automatic:  # a machine's copy of ours says nothing of it
            summary["assessment"] = str(Assessment.ACCEPTED)
        uid, study = instance.sop_instance_uid, instance.study_instance_uid
        return Reviewed(uid, of.job.job_id, study, instance.received_at, summary)

    def _grid(self, of: Made) -> Grid:
        """The grid that the job's answer lies on, from the index: the arithmetic is the reader's."""
        study, series = of.job.study_instance_uid, str(of.source["series"])
        with self.database.reading() as tx:
            held = {i.sop_instance_uid: i.header for i in tx.studies.instances(study_uid=study, series_uid=series)}
        if any(uid not in held for uid in of.source["instances"]):
            raise BadSegmentation("images that it was drawn on are no longer held")
        return arrange([s for uid in of.source["instances"] for s in slice_headers(held[uid])]).grid


def subject_of(seg: Segmentation, made: Sequence[Made]) -> tuple[Made, str]:
    """The job that a segmentation is about and what tells so, of several the newest; BadSegmentation where none is.

    Images alone tell little: what says of itself that no person had a hand in it is another machine's opinion.
    """
    for of in reversed(made):
        if of.tracking_uids(person=not seg.automatic) & seg.tracking_uids:
            return of, "tracking"
    for of in reversed(made):
        if of.uids & seg.cites:
            return of, "citation"
    on_images = [of for of in made if {str(of.source["series"]), *of.source["instances"]} & seg.cites]
    if not on_images:
        raise BadSegmentation("it refers neither to a result of ours nor to the images of one")
    if seg.automatic:
        raise BadSegmentation("all its segments are AUTOMATIC, and it refers to no result of ours")
    known = [sum(structure_of(segment, of.card) is not None for segment in seg.segments) for of in on_images]
    return max(zip(known, range(len(made)), on_images, strict=False))[2], "images"


def _summary(comparison: Comparison, truth: Laid, of: Made, by: str) -> dict[str, Any]:
    """The comparison as plain data: numbers, and words of our own only."""
    judged = truth.judged(of.card)
    return {
        "task": of.job.task,
        "recognised_by": by,
        "labels": sorted(judged),
        "structures": [
            {
                "structure": one.name,
                "dice": round(one.dice, 4),
                "ml": round(one.found_ml, 3),
                "reviewed_ml": round(one.truth_ml, 3),
            }
            for one in comparison.structures
        ],
        "lesions": {str(change): number for change, number in comparison.lesions.items()},
        "not_judged": [s.name for s in of.card.structures if s.label not in judged],
        "unknown": sorted({str(kind) for kind in truth.unknown})[:MOST_UNKNOWN],
    }
