"""What was measured in a study, and how that changed since the patient's earlier ones, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from inference.trend import lesion_of
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

    Of each date the number of lesions, regions of one once, their volume together in ml and the longest axis in mm; of
    each lesion, or region of one, its size at each date, null where it was not seen.
    """
    trend = job.summary.get("trend")
    if not trend:
        return None
    points = sorted(trend.get("history", ()), key=lambda point: str(point["taken"]))
    known: dict[str, str] = {}
    shown = []
    for point in points:
        known |= {uid: lesion_of(seen["label"]) or uid for uid, seen in point["seen"].items()}
        shown.append(_point(point, known))
    return {
        "prior": trend["prior"],
        "compared": compared,
        "points": shown,
        "lesions": _lesions(points),
    }


def _point(point: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """One date; `known` gives the lesion of each tracking UID. A lesion is new, or gone, with all its regions."""

    def lesions(uids: Iterable[str]) -> set[str]:
        return {known.get(uid, uid) for uid in uids}

    seen = list(point["seen"].values())
    here, old = lesions(point["seen"]), lesions(point["seen"].keys() - point["new"])
    return {
        "taken": point["taken"],
        "lesions": len(here),
        "new": len(lesions(point["new"]) - old),
        "vanished": len(lesions(point["vanished"]) - here),
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
