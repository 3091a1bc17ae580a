"""Results that a person corrected and sent back: which job each is about, and how the two compare.

A review is known for ever by the SOP Instance UID of its segmentation or report; of each kind the newest of a job
counts, of those that no rejection note has taken back. It names no patient and no reader.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, exists, func, select

from storage.arriving.rejections import RETENTION_EXPIRED
from storage.identifiers import check_uid
from storage.sql.store import Store
from storage.sql.words import at_most
from storage.tables import jobs, rejections, reviews


class ReviewKind(StrEnum):
    """What was sent back."""

    SEG = "seg"  # a segmentation: truth, voxel by voxel
    SR = "sr"  # a report: what a person made of the measurements


@dataclass(frozen=True)
class Reviewed:
    """One corrected object; `summary` is the comparison with what the job made, as plain data of its kind.

    `at`: when it came, in seconds since 1970; several may be read at one moment, and in another order.
    """

    sop_instance_uid: str
    job_id: str
    study_instance_uid: str
    at: float
    summary: dict[str, Any] = field(default_factory=dict)
    kind: ReviewKind = ReviewKind.SEG
    taken_back: bool = False  # by a note that came since; never kept with the review


_TAKEN_BACK = exists(
    select(1).where(rejections.c.sop_uid == reviews.c.sop_uid, rejections.c.title != RETENTION_EXPIRED)
)
_READ = select(reviews, _TAKEN_BACK.label("taken_back"))


class Reviews(Store):
    """Reviews of one transaction."""

    def add(self, review: Reviewed) -> bool:
        """Keep a review; False where its object has been read before."""
        return self._add(
            reviews,
            sop_uid=check_uid(review.sop_instance_uid),
            job_id=review.job_id,
            study_uid=review.study_instance_uid,
            at=review.at,
            summary=review.summary,
            kind=review.kind.value,
        )

    def of_study(self, uid: str) -> list[Reviewed]:
        """The study's reviews, oldest first: of each kind the last of a job that is not taken back counts."""
        return self._reviews(_READ.where(reviews.c.study_uid == uid))

    def counting(self, since: float = 0.0, tasks: Collection[str] | None = None) -> list[Reviewed]:
        """The newest segmentation of each job, of those that came since then, oldest first; of these tasks where said.

        One that is taken back stands only for a job that has no other. Reports have no voxels: they are no truth to
        train or score with.
        """
        query = _READ.where(reviews.c.at >= since, reviews.c.kind == ReviewKind.SEG.value)
        if tasks is not None:
            query = query.join(jobs, jobs.c.job_id == reviews.c.job_id).where(jobs.c.task.in_(sorted(tasks)))
        found = sorted(self._reviews(query), key=lambda review: not review.taken_back)
        newest = {review.job_id: review for review in found}
        return sorted(newest.values(), key=lambda review: (review.at, review.sop_instance_uid))

    def count(self, most: int | None = None) -> int:
        """How many jobs have been reviewed, in whatever way; counted no further than `most`."""
        query = select(func.count()).select_from(select(reviews.c.job_id).distinct().limit(at_most(most)).subquery())
        return int(self._connection.execute(query).scalar_one())

    def _reviews(self, query: Select[Any]) -> list[Reviewed]:
        return [_review(row) for row in self._connection.execute(query.order_by(reviews.c.at, reviews.c.sop_uid))]


def _review(row: Row[Any]) -> Reviewed:
    kind = ReviewKind(row.kind)
    return Reviewed(row.sop_uid, row.job_id, row.study_uid, row.at, row.summary, kind, bool(row.taken_back))
