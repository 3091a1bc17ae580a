"""What persons made of a job's results: accepted, modified or rejected, the three words of IHE AIRA.

Only what the standard makes certain is read: a rejection note on a result (IHE RAD TF-3 4.66), a segmentation or a
report that a person sent back changed, or as it was, and that no note took back. AIRA's own object is not among them:
its codes are not known here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from storage.database import Transaction

JUDGING = {"113001": "quality", "113037": "patient safety"}  # CID 7010, DCM; the other titles judge no content


class Assessment(StrEnum):
    """What a person thought of a result."""

    ACCEPTED = "accepted"
    MODIFIED = "modified"
    REJECTED = "rejected"


def assessments(tx: Transaction, study_uid: str) -> list[dict[str, Any]]:
    """Each assessment of the study's jobs, oldest first; the newest of a job counts. `by`: the object that says so."""
    found = [
        {"job": one.job_id, "assessment": said, "by": one.sop_instance_uid, "at": one.at, "because": ""}
        for one in tx.reviews.of_study(study_uid)
        if not one.taken_back and (said := one.summary.get("assessment"))
    ]
    found += _rejected(tx, study_uid)
    found.sort(key=lambda one: (one["at"], one["by"]))
    newest = {one["job"]: one["by"] for one in found}
    return [one | {"counts": newest[one["job"]] == one["by"]} for one in found]


def _rejected(tx: Transaction, study_uid: str) -> list[dict[str, Any]]:
    """The jobs whose results notes reject, each once a note; notes of ours that came back say nothing new."""
    job_of = {result.sop_instance_uid: result.job_id for result in tx.results.of_study(study_uid)}
    notes = {
        (job_of[one.sop_instance_uid], one.note_uid): one
        for one in tx.rejections.of_study(study_uid)
        if one.sop_instance_uid in job_of and one.title in JUDGING and one.note_uid not in job_of
    }
    return [
        {"job": job, "assessment": str(Assessment.REJECTED), "by": note, "at": one.at, "because": JUDGING[one.title]}
        for (job, note), one in notes.items()
    ]
