"""Figures for Prometheus, read from the database when they are asked for, so that they are the whole node's.

What processes count (`dicom_node.counting`) never falls. How long things took is counted from this process's first
answer on; Prometheus knows that such counts begin anew.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from dicom_node.counting import FIGURES
from dicom_node.settings.models import closed_models
from dicom_node.storing import watermarks
from dicom_node.views.node import NEEDED_ROLES, ROLE_SILENT_S
from storage.database import Transaction
from storage.records import ProcessRow
from storage.watching.counters import Key

if TYPE_CHECKING:
    from dicom_node.assembly import Parts
    from dicom_node.settings import Settings

CONTENT_TYPE = CONTENT_TYPE_LATEST
COUNT_EVERY_S = 30.0  # all there is, at most: whoever asks more often is told what was counted last
STEP_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
RESULT_S = (30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 86400)


class _Counted(Collector):
    """What all processes have counted, as it was last read."""

    def __init__(self) -> None:
        self.counts: Mapping[Key, float] = {}

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Every figure; one without labels is 0 where nothing was counted."""
        for figure in FIGURES:
            family = CounterMetricFamily(f"segnode_{figure.name}", figure.what, labels=figure.labels)
            found = [(dict(labels), value) for (name, labels), value in self.counts.items() if name == figure.name]
            if not (found or figure.labels):
                found = [({}, 0.0)]
            for labels, value in found:
                if labels.keys() == set(figure.labels):  # an older release may have counted otherwise
                    family.add_metric([labels[label] for label in figure.labels], value)
            yield family


class Metrics:
    """The figures of one process of the console."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._until: float | None = None
        self._counted_at: float | None = None
        self._studies = self._gauge("studies", "Studies by state", "state")
        jobs = "Jobs by route, task and state; DISABLED: they wait for a model that is disabled"
        self._jobs = self._gauge("jobs", jobs, "route", "task", "state")
        self._running = self._gauge("jobs_running", "Jobs that a worker holds now")
        self._deliveries = self._gauge("deliveries", "Deliveries by destination and state", "destination", "state")
        self._down = self._gauge("destination_down", "1 while a destination is known to be down", "destination")
        self._roles = self._gauge("role_up", "1 while a process of the role is heard of, 0 when it is silent", "role")
        self._associations = self._gauge("associations_open", "Open associations of senders")
        self._fetches = self._gauge("fetches", "Studies asked for from archives, by state", "state")
        self._late = self._gauge("studies_late", "Studies that should have had a result by now and have none")
        self._notices = self._gauge("notices", "Mails and webhook calls by channel and state", "channel", "state")
        self._gpu_used = self._gauge("gpu_memory_used_bytes", "Memory in use on a GPU", "host", "gpu")
        self._gpu_total = self._gauge("gpu_memory_total_bytes", "Memory of a GPU", "host", "gpu")
        self._gpu_busy = self._gauge("gpu_busy_ratio", "How busy a GPU is, 0 to 1", "host", "gpu")
        self._counted = _Counted()
        self._registry.register(self._counted)
        self._free = self._gauge("disk_free_bytes", "Free space on the disk of the images, or of their cache")
        self._short = self._gauge("disk_short_bytes", "Below so much free space the disk is short, as node.yaml says")
        down = "1 while nothing is taken: the archive is away, read-only or without inodes, or its disk is full"
        self._down_archive = self._gauge("archive_down", down)
        self._steps = Histogram(
            "segnode_step_seconds", "What each step of a job took", ("task", "step"), buckets=STEP_S,
            registry=self._registry,
        )  # fmt: skip
        self._results = Histogram(
            "segnode_result_seconds", "From a study's last image to its delivered result", ("destination",),
            buckets=RESULT_S, registry=self._registry,
        )  # fmt: skip

    def read(self, tx: Transaction, parts: Parts, now: float) -> bytes:
        """All of it in Prometheus's text form."""
        with self._lock:
            self._count(tx, parts.settings, now)
            self._look_at_disk(parts)
            self._counted.counts = tx.counters.all()
            self._observe(tx, now)
            return generate_latest(self._registry)

    def _look_at_disk(self, parts: Parts) -> None:
        """An archive that is away has no free space to tell: what a mount hides is another disk's."""
        marks = watermarks(parts.settings)
        trouble = parts.archive.trouble()
        free = math.nan if trouble else parts.archive.free_bytes()
        self._free.set(free)
        self._short.set(max(marks.low_bytes, marks.clean_bytes))
        self._down_archive.set(bool(trouble) or free < marks.low_bytes)

    def _count(self, tx: Transaction, settings: Settings, now: float) -> None:
        if self._counted_at is None or not 0 <= now - self._counted_at < COUNT_EVERY_S:
            self._count_all(tx, closed_models(settings.models), now)
            self._counted_at = now
        for gauge in (self._down, self._roles, self._gpu_used, self._gpu_total, self._gpu_busy):
            gauge.clear()  # what is not there any more
        for circuit in tx.circuits.in_trouble():
            if circuit.destination in settings.node.destinations:  # of another nobody will ever hear that it is back
                self._down.labels(circuit.destination).set(circuit.open)
        processes = tx.processes.list(now)
        heard = {row.role for row in processes if now - row.seen_at < ROLE_SILENT_S}
        for role in {*NEEDED_ROLES, *(row.role for row in processes)}:  # who is silent for a minute is listed no more
            self._roles.labels(role).set(role in heard)
        for row in sorted(processes, key=lambda one: one.seen_at):
            self._show_gpus(row)
        self._late.set(tx.alerts.open_count())
        self._running.set(len(tx.jobs.running(now)))
        self._associations.set(tx.associations.open_count(now))

    def _count_all(self, tx: Transaction, closed: Collection[str], now: float) -> None:
        """How much there is of everything since the node first ran: the more that is, the longer it takes."""
        for gauge in (self._studies, self._jobs, self._deliveries, self._fetches, self._notices):
            gauge.clear()
        for state, number in tx.studies.counts().items():
            self._studies.labels(state).set(number)
        for job, number in tx.figures.jobs(closed, now).items():
            self._jobs.labels(*job).set(number)
        for delivery, number in tx.figures.deliveries().items():
            self._deliveries.labels(*delivery).set(number)
        for fetch, number in tx.fetches.counts().items():
            self._fetches.labels(fetch).set(number)
        for notice, number in tx.notices.counts().items():
            self._notices.labels(*notice).set(number)

    def _show_gpus(self, row: ProcessRow) -> None:
        for gpu in row.detail.get("gpus", ()):
            place = (row.host, str(gpu["number"]))
            self._gpu_used.labels(*place).set(gpu["used_bytes"])
            self._gpu_total.labels(*place).set(gpu["total_bytes"])
            if gpu["busy"] is not None:
                self._gpu_busy.labels(*place).set(gpu["busy"])

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
