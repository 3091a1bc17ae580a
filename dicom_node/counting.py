"""What a process counts for whoever watches the node: added up in the database by its heartbeat.

Every figure has a name, labels whose values are few, and a sentence. Nothing here names a patient or a study.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from storage.watching.counters import Key


@dataclass(frozen=True)
class Figure:
    """A count that only grows; it is exported as segnode_NAME_total."""

    name: str
    what: str
    labels: tuple[str, ...] = ()


RECEIVED = Figure("received_instances", "Instances that came and are kept, or were held already", ("outcome",))
RECEIVED_BYTES = Figure("received_bytes", "Bytes of data sets that came and are kept, or were held already")
REFUSED = Figure("refused_instances", "Instances that were not kept, by the DIMSE status of the answer", ("status",))
ACCEPTED = Figure("associations_accepted", "Associations of callers that were let in")
REJECTED = Figure("associations_rejected", "Associations that were rejected, by reason", ("reason",))
HANDSHAKES = Figure("tls_handshakes_refused", "TLS handshakes in which one end refused the other")
JOB_FAILURES = Figure("job_failures", "Attempts at jobs that gave no result, by reason", ("task", "reason"))
DELIVERY_FAILURES = Figure(
    "delivery_failures", "Attempts at deliveries that failed, by reason", ("destination", "reason")
)
SENT_BYTES = Figure("sent_bytes", "Bytes of result files that destinations took", ("destination",))

FIGURES = (
    RECEIVED,
    RECEIVED_BYTES,
    REFUSED,
    ACCEPTED,
    REJECTED,
    HANDSHAKES,
    JOB_FAILURES,
    DELIVERY_FAILURES,
    SENT_BYTES,
)


class Counts:
    """What this process has counted and not handed over; for all its threads."""

    def __init__(self) -> None:
        self._counts: dict[Key, float] = {}
        self._lock = threading.Lock()

    def add(self, figure: Figure, number: float = 1, **labels: str) -> None:
        """Count; ValueError where the labels are not those of the figure."""
        if labels.keys() != set(figure.labels):
            raise ValueError(f"{figure.name} has the labels {figure.labels}, not {tuple(labels)}")
        with self._lock:
            key = figure.name, tuple(sorted(labels.items()))
            self._counts[key] = self._counts.get(key, 0.0) + number

    def take(self) -> Mapping[Key, float]:
        """Hand over what was counted; who cannot use it gives it back."""
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken

    def give_back(self, taken: Mapping[Key, float]) -> None:
        """Keep it for the next time."""
        with self._lock:
            for key, number in taken.items():
                self._counts[key] = self._counts.get(key, 0.0) + number
