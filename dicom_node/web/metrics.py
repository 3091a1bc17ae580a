"""Figures for Prometheus, read from the database when they are asked for, so that they are the whole node's.

How long things took is counted from this process's first answer on; Prometheus knows that such counts begin anew.
"""

from __future__ import annotations

import threading

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, Histogram, generate_latest

from dicom_node.views import ROLE_SILENT_S
from storage.database import Transaction

CONTENT_TYPE = CONTENT_TYPE_LATEST
STEP_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
RESULT_S = (30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 86400)


class Metrics:
    """The figures of one process of the console."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._until: float | None = None
        self._studies = self._gauge("studies", "Studies by state", "state")
        self._jobs = self._gauge("jobs", "Jobs by route, task and state", "route", "task", "state")
        self._running = self._gauge("jobs_running", "Jobs that a worker holds now")
        self._deliveries = self._gauge("deliveries", "Deliveries by destination and state", "destination", "state")
        self._down = self._gauge("destination_down", "1 while a destination is known to be down", "destination")
        self._roles = self._gauge("role_up", "1 while a process of the role is heard of, 0 when it is silent", "role")
        self._associations = self._gauge("associations_open", "Open associations of senders")
        self._free = self._gauge("disk_free_bytes", "Free space on the disk of the data folder")
        self._steps = Histogram(
            "segnode_step_seconds", "What each step of a job took", ("task", "step"), buckets=STEP_S,
            registry=self._registry,
        )  # fmt: skip
        self._results = Histogram(
            "segnode_result_seconds", "From a study's last image to its delivered result", ("destination",),
            buckets=RESULT_S, registry=self._registry,
        )  # fmt: skip

    def read(self, tx: Transaction, free_bytes: int, now: float) -> bytes:
        """All of it in Prometheus's text form."""
        with self._lock:
            self._count(tx, now)
            self._free.set(free_bytes)
            self._observe(tx, now)
            return generate_latest(self._registry)

    def _count(self, tx: Transaction, now: float) -> None:
        for gauge in (self._studies, self._jobs, self._deliveries, self._down, self._roles):
            gauge.clear()  # what is not there any more
        for state, number in tx.studies.counts().items():
            self._studies.labels(state).set(number)
        for job, number in tx.figures.jobs().items():
            self._jobs.labels(*job).set(number)
        for delivery, number in tx.figures.deliveries().items():
            self._deliveries.labels(*delivery).set(number)
        for circuit in tx.circuits.in_trouble():
            self._down.labels(circuit.destination).set(circuit.open)
        for row in sorted(tx.processes.list(now), key=lambda one: one.seen_at):
            self._roles.labels(row.role).set(now - row.seen_at < ROLE_SILENT_S)
        self._running.set(len(tx.jobs.running(now)))
        self._associations.set(tx.associations.open_count(now))

    def _observe(self, tx: Transaction, now: float) -> None:
        """Add what has ended since the last time."""
        if self._until is not None:
            for task, seconds in tx.figures.done_between(self._until, now):
                for step, took in seconds.items():
                    self._steps.labels(task, step).observe(took)
            for destination, took in tx.figures.sent_between(self._until, now):
                self._results.labels(destination).observe(took)
        self._until = now

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"segnode_{name}", what, labels, registry=self._registry)
