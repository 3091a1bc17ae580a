"""What was measured in a study, and how that changed since the patient's earlier ones, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storage.database import Transaction
from storage.lifecycle import JobState
from storage.records import Job

SIZES = ("ml", "long_mm", "short_mm")


def measurements_view(tx: Transaction, study_uid: str) -> list[dict[str, Any]]:
    """Of each result of a study that counts: findings with volumes in ml, totals, and the trend."""
    jobs = [job for job in tx.jobs.of_study(study_uid) if job.state is JobState.DONE and not job.rejects]
    return [
        {
            "job": job.job_id,
            "route": job.route,
            "task": job.task,
            "model": job.model,
            "findings": job.summary.get("findings", []),
            "totals": job.summary.get("totals", {}),
            "trend": trend_view(job, _compared(tx, job) if job.summary.get("trend") else ""),
        }
        for job in jobs
    ]


def trend_view(job: Job, compared: str = "") -> dict[str, Any] | None:
    """The dates at which the patient's lesions were measured, oldest first; None where there is no earlier one.

    Of each date the number of lesions, their volume together in ml and the longest axis in mm; of each lesion its
    size at each date, null where it was not seen.
    """
    trend = job.summary.get("trend")
    if not trend:
        return None
    points = sorted(trend.get("history", ()), key=lambda point: str(point["taken"]))
    return {
        "prior": trend["prior"],
        "compared": compared,
        "points": [_point(point) for point in points],
        "lesions": _lesions(points),
    }


def _point(point: Mapping[str, Any]) -> dict[str, Any]:
    seen = list(point["seen"].values())
    return {
        "taken": point["taken"],
        "lesions": len(seen),
        "new": len(point["new"]),
        "vanished": len(point["vanished"]),
        "ml": round(sum(one["ml"] for one in seen), 3),
        "longest_mm": max((one["long_mm"] for one in seen), default=0.0),
    }


def _lesions(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every lesion under its newest label, in the order of their first appearance."""
    labels = {uid: seen["label"] for point in points for uid, seen in point["seen"].items()}
    return [
        {
            "label": label,
            "tracking_uid": uid,
            "sizes": [
                {"taken": point["taken"], **{name: point["seen"].get(uid, {}).get(name) for name in SIZES}}
                for point in points
            ],
        }
        for uid, label in labels.items()
    ]


def _compared(tx: Transaction, job: Job) -> str:
    told = [entry.text for entry in tx.journal.of_job(job.job_id) if entry.event == "compared"]
    return told[-1] if told else ""
