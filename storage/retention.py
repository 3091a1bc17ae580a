"""What may be deleted, and when: rules over how a study's work ended. Decides only; `cleaning.py` acts.

A study is removed as a whole, images and results. Each of its jobs is judged by the first rule that fits how
the job ended and its route; a job that no rule fits keeps the study for ever. So does whatever is unfinished:
what is named here as ended is all that ever goes, and a state that nobody thought of is kept.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from storage.lifecycle import DeliveryState, JobMark, JobState, StudyState

DAY_S = 86400.0


class Ended(StrEnum):
    """How a study's work, or one job's, came to its end."""

    COMMITTED = "committed"  # every destination took responsibility (storage commitment)
    SENT = "sent"  # every destination answered success
    UNSENT = "unsent"  # results that were never to go anywhere: they are only here
    REFUSED = "refused"  # the input was unfit
    FAILED = "failed"  # the model or its worker failed, and nobody has retried it
    NOT_ROUTED = "not_routed"  # no route wanted the study, or what they made was withdrawn


@dataclass(frozen=True)
class Rule:
    """What ended so, on this route (None: any), goes after `after_s`; sooner, where said, on a short disk."""

    state: Ended
    after_s: float
    route: str | None = None
    short_after_s: float | None = None

    def fits(self, ended: Ended, route: str | None) -> bool:
        """Whether it judges what ended so on this route; None: on whichever."""
        return self.state is ended and self.route in (None, route)

    def age_s(self, *, short: bool) -> float:
        """How old it must be to go."""
        return min(self.after_s, self.short_after_s) if short and self.short_after_s is not None else self.after_s

    def __str__(self) -> str:
        where = f" on route {self.route}" if self.route else ""
        return f"{self.state}{where}: after {self.after_s / DAY_S:g} days"


@dataclass(frozen=True)
class JobFacts:
    """One job as far as retention cares; `deliveries` are its deliveries' states, `rejects`: it is a rejection note."""

    route: str
    state: JobState
    ended_at: float  # its end, or that of its last delivery
    deliveries: Sequence[DeliveryState] = ()
    mark: JobMark = JobMark.NONE
    rejects: bool = False


@dataclass(frozen=True)
class StudyFacts:
    """One study as far as retention cares.

    `barred_until`: a promise of ours forbids removal until then. `unread`: a second content, a note or a SEG waits.
    """

    study_instance_uid: str
    state: StudyState
    changed_at: float
    jobs: Mapping[str, JobFacts] = field(default_factory=dict)
    barred_until: float | None = None
    unread: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether the study goes, and why or why not; `since` is when its work ended."""

    goes: bool
    reason: str
    since: float = 0.0


_STUDY_ENDED = (StudyState.DISPATCHED, StudyState.NOT_ROUTED)
_JOB_ENDED = (JobState.DONE, JobState.REFUSED, JobState.FAILED, JobState.SUPERSEDED)
_DELIVERY_ENDED = (DeliveryState.SENT, DeliveryState.COMMITTED, DeliveryState.SUPERSEDED)


def decide(study: StudyFacts, rules: Sequence[Rule], now: float, *, short: bool = False) -> Decision:
    """Judge one study; with `short`, by the ages for a short disk."""
    if hangs := unfinished(study, now):
        return Decision(goes=False, reason=hangs)
    verdicts = [_judge(*strand, rules, now, short=short) for strand in _strands(study)]
    kept = next((verdict for verdict in verdicts if not verdict.goes), None)
    return kept or max(verdicts, key=lambda verdict: verdict.since)


def unfinished(study: StudyFacts, now: float, given_up: Collection[DeliveryState] = ()) -> str:
    """What still hangs on the study, as a sentence; empty where nothing does. Deliveries in `given_up` do not."""
    if study.state not in _STUDY_ENDED:
        return f"the study is {study.state}"
    if study.unread:
        return "a second content of an image, a note or a segmentation has not been read"
    for job in study.jobs.values():
        if job.state not in _JOB_ENDED:
            return f"its job on route {job.route} is {job.state}"
        if job.mark is JobMark.STALE:
            return f"the result of route {job.route} is stale"
        for state in job.deliveries:
            if state not in _DELIVERY_ENDED and state not in given_up:
                return f"a delivery of route {job.route} is {state}"
    if study.barred_until is not None and study.barred_until > now:
        awaited = study.barred_until == math.inf
        return "a destination's storage commitment is awaited" if awaited else "we have promised to keep it"
    return ""


def _strands(study: StudyFacts) -> list[tuple[Ended, str, float]]:
    """How, on which route and when each part of the study's work ended; superseded jobs and notes are none."""
    strands = [
        (_end_of(job), job.route, max(job.ended_at, study.changed_at))
        for job in study.jobs.values()
        if job.state is not JobState.SUPERSEDED and not job.rejects
    ]
    return strands or [(Ended.NOT_ROUTED, "", study.changed_at)]


def _end_of(job: JobFacts) -> Ended:
    if job.state is JobState.REFUSED:
        return Ended.REFUSED
    if job.state is JobState.FAILED:
        return Ended.FAILED
    left = {state for state in job.deliveries if state is not DeliveryState.SUPERSEDED}
    if not left:
        return Ended.UNSENT
    return Ended.COMMITTED if left == {DeliveryState.COMMITTED} else Ended.SENT


def _judge(ended: Ended, route: str, since: float, rules: Sequence[Rule], now: float, *, short: bool) -> Decision:
    rule = next((rule for rule in rules if rule.fits(ended, route)), None)
    if rule is None:
        where = f" on route {route}" if route else ""
        return Decision(goes=False, reason=f"no rule removes what is {ended}{where}", since=since)
    days = (now - since) / DAY_S
    early = " (early: the disk is short)" if now - since < rule.after_s else ""
    goes = now - since >= rule.age_s(short=short)
    return Decision(goes=goes, reason=f"{ended} for {days:.1f} days; rule {rule}{early if goes else ''}", since=since)
