"""The facts of a support bundle, as plain data: machine, database, queue, failures, journal, disk."""

from __future__ import annotations

import os
import platform
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import distributions, version
from statistics import median
from typing import Any

import psutil

from dicom_node.assembly import Parts
from dicom_node.running.gpus import read_gpus
from dicom_node.storing import watermarks
from dicom_node.views.delivery_views import deliveries_view
from dicom_node.views.node import entry_view, job_view
from storage.database import Transaction
from storage.lifecycle import DeliveryState, JobState

MOST = 500  # jobs or deliveries of a kind
MOST_EVENTS = 5000
DAYS = 30
DAY_S = 86400.0
WITH_DETAIL = frozenset({"verdict", "job made"})  # other events' holds what was measured in the patient
CLINICAL = ("findings", "totals", "notes")  # what was found in a patient is nobody's business


def machine() -> dict[str, Any]:
    """Versions of everything, and what it runs on; no name of the machine."""
    return {
        "segnode": version("segnode"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "memory_free_bytes": psutil.virtual_memory().available,
        "load": os.getloadavg(),
        "gpus": [asdict(gpu) for gpu in read_gpus()],
        "libraries": dict(sorted({one.metadata["Name"]: one.version for one in distributions()}.items())),
    }


def database(parts: Parts, tx: Transaction) -> dict[str, Any]:
    """Which kind, of which schema, how many of what."""
    counts: dict[str, Mapping[Any, int]] = {
        "studies": tx.studies.counts(), "jobs": tx.jobs.counts(), "deliveries": tx.deliveries.counts(),
        "fetches": tx.fetches.counts(), "marks": tx.jobs.mark_counts(),
    }  # fmt: skip
    newest = tx.revisions.newest()
    return {
        "kind": parts.settings.node.database.partition(":")[0],
        "schema": tx.figures.schema(),
        "revision": newest[0] if newest else 0,
        "rows": tx.figures.rows(),
        **{name: {str(state): number for state, number in found.items()} for name, found in counts.items()},
        "counters": [
            {"name": name, **dict(labels), "value": value}
            for (name, labels), value in sorted(tx.counters.all().items())
        ],
    }


def seconds_by_task(tx: Transaction, now: float) -> dict[str, dict[str, dict[str, float]]]:
    """Of the jobs that were done in the last 30 days: number, median and longest of each step, in seconds."""
    took: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for task, seconds in tx.figures.done_between(now - DAYS * DAY_S, now):
        for step, value in seconds.items():
            took[task][step].append(value)
    return {
        task: {
            step: {"number": len(values), "median": round(median(values), 3), "longest": round(max(values), 3)}
            for step, values in steps.items()
        }
        for task, steps in took.items()
    }


def queue(tx: Transaction, now: float) -> dict[str, Any]:
    """What is being done, what waits, and which destinations are down."""
    return {
        "jobs": _jobs(tx, now, JobState.PENDING),
        "deliveries": deliveries_view(tx, states=[DeliveryState.PENDING], limit=MOST),
        "circuits": [asdict(circuit) for circuit in tx.circuits.in_trouble()],
        "open_associations": tx.associations.open_count(now),
    }


def failures(tx: Transaction, now: float) -> dict[str, Any]:
    """What has ended badly, or waits for a person, the newest first."""
    return {
        "jobs": _jobs(tx, now, JobState.FAILED, JobState.REFUSED),
        "deliveries": deliveries_view(tx, states=[DeliveryState.DEAD, DeliveryState.HELD], limit=MOST),
    }


def journal(tx: Transaction) -> Iterator[dict[str, Any]]:
    """The newest events, the newest first, without what was measured in a patient."""
    for entry in tx.journal.recent(MOST_EVENTS):
        view = {"study": entry.study_instance_uid, **entry_view(entry)}
        if entry.event not in WITH_DETAIL:
            view.pop("detail", None)
        yield view


def disk(parts: Parts) -> dict[str, Any]:
    """Room where the data lie, and the two marks."""
    usage = shutil.disk_usage(parts.settings.node.data_folder)
    marks = watermarks(parts.settings)
    return {"total_bytes": usage.total, "used_bytes": usage.used, "free_bytes": usage.free, **asdict(marks)}


def _jobs(tx: Transaction, now: float, *states: JobState) -> list[dict[str, Any]]:
    found = []
    for job in tx.jobs.list(states=states, limit=MOST):
        view = {key: value for key, value in job_view(job, now).items() if key not in CLINICAL}
        found.append({"study": job.study_instance_uid, "created_at": job.created_at, **view})
    return found
