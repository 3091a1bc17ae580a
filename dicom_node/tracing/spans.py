"""What is a span: one step of a study that is over; one trace a study and generation.

Spans are made of what is recorded once a step is over, so that nothing on a study's way waits for them, a process that
dies loses none, and all processes' steps are one trace. The first step, in which the study is received, is the root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dicom_node.views.timeline import timeline_view
from storage.database import Transaction
from storage.records import JournalEntry, Study

ROOT = "received"
ENDED: Mapping[str, tuple[str, ...]] = {  # which steps are over when the journal says so
    **dict.fromkeys(("complete", "incomplete", "settled"), (ROOT, "complete")),
    **dict.fromkeys(("job made", "not routed", "known"), ("routed",)),
    **dict.fromkeys(("done", "failed", "refused"), ("inferred",)),
    **dict.fromkeys(("delivered", "delivery dead"), ("delivered",)),
    "committed": ("committed",),
}
NEAR_S = 1.0  # a step whose end is not that of the entry is another one of the same kind


@dataclass(frozen=True)
class Span:
    """One step that is over; times in seconds since 1970. A study's UID is in `attributes`, the patient is not."""

    trace: int
    number: int
    root: int
    name: str
    begin: float
    end: float
    failed: bool
    attributes: Mapping[str, str]


def spans_of(tx: Transaction, entry: JournalEntry, now: float) -> Iterator[Span]:
    """The steps that are over by this entry."""
    names = ENDED.get(entry.event, ())
    study = tx.studies.find(entry.study_instance_uid) if names and entry.study_instance_uid else None
    if study is None:
        return
    uid = study.study_instance_uid
    jobs, deliveries = tx.jobs.of_study(uid), tx.deliveries.of_study(uid)
    if entry.job_id:
        jobs = [job for job in jobs if job.job_id == entry.job_id] or jobs
    about = {"segnode.study": uid, **_job(tx, entry.job_id)}
    for step in timeline_view(study, jobs, deliveries, tx.journal.of_study(uid), now):
        end = _end(step, entry)
        if step["step"] in names and step["begin"] is not None and end is not None:
            yield _span(study, step, end, about)


def _end(step: Mapping[str, Any], entry: JournalEntry) -> float | None:
    """When the step was over, where it is the one of which the entry tells."""
    if step["end"] is None:
        return entry.at if entry.event == "delivery dead" and step["state"] == "failed" else None
    told = step["step"] == ROOT or abs(step["end"] - entry.at) <= NEAR_S
    return float(step["end"]) if told else None


def _job(tx: Transaction, job_id: str) -> dict[str, str]:
    job = tx.jobs.find(job_id) if job_id else None
    if job is None:
        return {}
    return {"segnode.job": job.job_id, "segnode.route": job.route, "segnode.task": job.task, "segnode.model": job.model}


def _span(study: Study, step: Mapping[str, Any], end: float, about: Mapping[str, str]) -> Span:
    """Numbers follow from what the step is: sent twice, it is the same span."""
    trace = f"{study.study_instance_uid} {study.generation}"
    name = str(step["step"])
    own = trace if name == ROOT else f"{trace} {name} {step['of']} {step['begin']!r}"
    told = {**about, "segnode.state": str(step["state"])} | ({"segnode.of": str(step["of"])} if step["of"] else {})
    return Span(_number(trace, 16), _number(own, 8), _number(trace, 8), name, float(step["begin"]), end,
                step["state"] == "failed", told)  # fmt: skip


def _number(text: str, size: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size], "big") or 1
