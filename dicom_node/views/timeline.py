"""A study's way through the node as steps, each with its begin, end and what it took: where the time went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from storage.lifecycle import LEFT, DeliveryState, JobState, StudyState
from storage.records import Delivery, Job, JournalEntry, Study

SETTLED = ("complete", "incomplete", "settled")
GOES_ON = ("running", "waiting", "held")
ROUTED = ("job made", "not routed", "known")


@dataclass(frozen=True)
class Step:
    """One step; without an `end` it goes on, or has not begun where it has no `begin` either."""

    step: str
    of: str  # which route's job, which destination
    state: str  # "done", "running", "waiting", "held", "failed"
    begin: float | None
    end: float | None = None
    note: str = ""

    def view(self, now: float) -> dict[str, Any]:
        """As plain data, with the seconds that it took, or has taken so far."""
        until = self.end if self.end is not None else now if self.state in GOES_ON else None
        seconds = None if self.begin is None or until is None else max(0.0, until - self.begin)
        return {**asdict(self), "seconds": seconds}


def timeline_view(
    study: Study, jobs: Sequence[Job], deliveries: Sequence[Delivery], journal: Sequence[JournalEntry], now: float
) -> list[dict[str, Any]]:
    """Received, complete, routed; then of each job of the newest results inferred, delivered, committed."""
    settled = _last(journal, SETTLED, study.changed_at)
    routed = _first(journal, ROUTED, settled if settled is not None else study.changed_at)
    steps = [_received(study), _complete(study, settled), _routed(study, settled, routed)]
    for job in jobs:
        if job.state is JobState.SUPERSEDED or job.generation != study.generation:
            continue
        steps.append(_inferred(job, now))
        for delivery in (one for one in deliveries if one.job_id == job.job_id):
            steps.extend(_delivered(delivery, journal))
    return [step.view(now) for step in steps]


def time_to_result(study: Study, deliveries: Sequence[Delivery]) -> float | None:
    """Seconds from the last image to the first result that was delivered after it; None where none was.

    What was delivered before a late image says nothing of how long the study took.
    """
    sent = [one.sent_at for one in deliveries if one.sent_at is not None and one.state in LEFT]
    return min((at - study.changed_at for at in sent if at >= study.changed_at), default=None)


def _received(study: Study) -> Step:
    images = f"{study.images} image{'' if study.images == 1 else 's'}"
    if study.state is StudyState.RECEIVING:
        return Step("received", "", "running", study.received_at, None, f"{images} so far")
    return Step("received", "", "done", study.received_at, study.changed_at, images)


def _complete(study: Study, settled: float | None) -> Step:
    if settled is None or study.state in (StudyState.RECEIVING, StudyState.FETCHING):
        return Step("complete", "", "waiting", study.changed_at)
    return Step("complete", "", "done", study.changed_at, settled, study.incomplete)


def _routed(study: Study, settled: float | None, routed: float | None) -> Step:
    if routed is None:
        waits = study.state is StudyState.COMPLETE
        return Step("routed", "", "waiting", settled if waits else None)
    if study.state is StudyState.NOT_ROUTED:
        return Step("routed", "", "failed", settled, routed, "no route wanted it")
    return Step("routed", "", "done", settled, routed)


def _inferred(job: Job, now: float) -> Step:
    if job.state is JobState.PENDING:
        if (job.lease_until or 0.0) > now:
            return Step("inferred", job.route, "running", job.started_at, None, job.step)
        return Step("inferred", job.route, "waiting", job.created_at)
    begin = job.started_at if job.started_at is not None else job.created_at
    state = "done" if job.state is JobState.DONE else "failed"
    return Step("inferred", job.route, state, begin, job.finished_at, job.reason)


def _delivered(delivery: Delivery, journal: Sequence[JournalEntry]) -> Iterator[Step]:
    place = delivery.destination
    if delivery.state in LEFT:
        yield Step("delivered", place, "done", delivery.created_at, delivery.sent_at, delivery.reason)
    elif delivery.state is DeliveryState.SUPERSEDED:
        return
    else:
        state = {DeliveryState.PENDING: "waiting", DeliveryState.HELD: "held"}.get(delivery.state, "failed")
        yield Step("delivered", place, state, delivery.created_at, None, delivery.reason)
    if delivery.state is DeliveryState.COMMITTED:
        told = [one.at for one in journal if one.event == "committed" and one.text.startswith(f"{place}:")]
        yield Step("committed", place, "done", delivery.sent_at, told[-1] if told else None)


def _last(journal: Sequence[JournalEntry], events: Sequence[str], since: float) -> float | None:
    found = [entry.at for entry in journal if entry.event in events and entry.at >= since]
    return found[-1] if found else None


def _first(journal: Sequence[JournalEntry], events: Sequence[str], since: float) -> float | None:
    return next((entry.at for entry in journal if entry.event in events and entry.at >= since), None)
