"""What a study, a job, a delivery, a commitment, a promise, a fetch, a recall, a notice and a trial can be; the steps.

A lease is a column, not a state: a running job is PENDING with a live lease. "Incomplete" and
"warning" are flags. Each table is restated by hand in its test.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from storage.errors import IllegalStep

S = TypeVar("S", bound=StrEnum)


class StudyState(StrEnum):
    RECEIVING = "RECEIVING"  # images may still come
    FETCHING = "FETCHING"  # its source is asked what is missing, and that is pulled; a fetch is PENDING
    COMPLETE = "COMPLETE"  # settled; waits for dispatch
    DISPATCHED = "DISPATCHED"  # at least one job was made
    NOT_ROUTED = "NOT_ROUTED"  # no route wanted it; the reasons are in the journal
    REMOVED = "REMOVED"  # its files are gone by a rule of retention; what was made of it is still known


UNSETTLED = (StudyState.RECEIVING, StudyState.FETCHING, StudyState.COMPLETE)  # no route has judged it as it is now


class JobState(StrEnum):
    PENDING = "PENDING"  # waits for a device, or runs under a lease
    DONE = "DONE"  # its objects are stored and its deliveries made
    REFUSED = "REFUSED"  # the input is unfit, with its reason
    FAILED = "FAILED"  # the model or its worker failed, with its reason
    SUPERSEDED = "SUPERSEDED"  # a later generation of the study took its place


class JobMark(StrEnum):
    """What is to be said of results that have left; no state, since nothing is to be done by itself."""

    NONE = ""
    STALE = "stale"  # delivered, and then a header that they copy was corrected; a person re-issues them
    WITHDRAWN = "withdrawn"  # delivered, and then they or an image behind them were rejected


class DeliveryState(StrEnum):
    HELD = "HELD"  # a person, or the destination's configuration, must let it go
    PENDING = "PENDING"  # to be sent, now or at its next attempt
    SENT = "SENT"  # the peer answered success for every object
    COMMITTED = "COMMITTED"  # the peer took responsibility (storage commitment)
    DEAD = "DEAD"  # given up; waits for a person
    SUPERSEDED = "SUPERSEDED"  # leaves no more, since its job was overtaken


LEFT = (DeliveryState.SENT, DeliveryState.COMMITTED)  # somebody outside holds the objects


class CommitmentState(StrEnum):
    """What we asked a peer for (PS3.4 J): to take responsibility for instances."""

    PENDING = "PENDING"  # to be asked for, or its report is awaited, or has come and is to be looked at
    COMMITTED = "COMMITTED"  # the peer keeps every instance
    FAILED = "FAILED"  # the peer does not hold all of them
    GIVEN_UP = "GIVEN_UP"  # the peer has no such service, or never told


class PromiseState(StrEnum):
    """What a peer asked us for."""

    PENDING = "PENDING"  # to be decided, or the peer is to be told
    TOLD = "TOLD"  # the peer has our report
    GIVEN_UP = "GIVEN_UP"  # the peer could not be told in all that time


class FetchState(StrEnum):
    PENDING = "PENDING"  # the peer is to be asked, now or at the next attempt, or is being asked under a lease
    DONE = "DONE"  # nothing is missing any more, as far as the peer can say
    GIVEN_UP = "GIVEN_UP"  # the deadline is over, or the peer has said no


class RecallState(StrEnum):
    """What we asked an archive for: earlier results of a study's patient."""

    PENDING = "PENDING"  # the archive is to be asked or is being asked; dispatch waits for it until its deadline
    DONE = "DONE"  # asked, and all that it holds of ours is here
    GIVEN_UP = "GIVEN_UP"  # the deadline is over, the archive has said no, or there is nobody to ask about


class NoticeState(StrEnum):
    """What somebody outside is to be told."""

    PENDING = "PENDING"  # to be told, now or at its next attempt, or is being told under a lease
    SENT = "SENT"  # it was heard
    GIVEN_UP = "GIVEN_UP"  # nobody has heard it in all that time


class TrialState(StrEnum):
    """What is made of a model that nobody is sent: a bench, or a shadow's answer."""

    PENDING = "PENDING"  # waits until no job does, or runs under a lease
    DONE = "DONE"
    FAILED = "FAILED"  # with its reason; nothing else is harmed by that


STUDY_STEPS: dict[StudyState, frozenset[StudyState]] = {
    StudyState.RECEIVING: frozenset({StudyState.FETCHING, StudyState.COMPLETE}),
    StudyState.FETCHING: frozenset({StudyState.RECEIVING, StudyState.COMPLETE}),
    StudyState.COMPLETE: frozenset(
        {StudyState.RECEIVING, StudyState.FETCHING, StudyState.DISPATCHED, StudyState.NOT_ROUTED}
    ),
    StudyState.DISPATCHED: frozenset(
        {StudyState.RECEIVING, StudyState.FETCHING, StudyState.COMPLETE, StudyState.REMOVED}
    ),
    StudyState.NOT_ROUTED: frozenset(
        {StudyState.RECEIVING, StudyState.FETCHING, StudyState.COMPLETE, StudyState.REMOVED}
    ),
    StudyState.REMOVED: frozenset(
        {StudyState.RECEIVING, StudyState.FETCHING, StudyState.NOT_ROUTED}  # the latter: it comes back as a prior
    ),
}

JOB_STEPS: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset({JobState.DONE, JobState.REFUSED, JobState.FAILED, JobState.SUPERSEDED}),
    JobState.DONE: frozenset({JobState.SUPERSEDED, JobState.PENDING}),  # PENDING: its objects were removed
    JobState.REFUSED: frozenset({JobState.PENDING, JobState.SUPERSEDED}),
    JobState.FAILED: frozenset({JobState.PENDING, JobState.SUPERSEDED}),
    JobState.SUPERSEDED: frozenset(),
}

DELIVERY_STEPS: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.HELD: frozenset({DeliveryState.PENDING, DeliveryState.SUPERSEDED}),
    DeliveryState.PENDING: frozenset({DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.SUPERSEDED}),
    DeliveryState.SENT: frozenset({DeliveryState.PENDING, DeliveryState.COMMITTED, DeliveryState.DEAD}),
    DeliveryState.COMMITTED: frozenset({DeliveryState.PENDING}),
    DeliveryState.DEAD: frozenset({DeliveryState.PENDING, DeliveryState.SUPERSEDED}),
    DeliveryState.SUPERSEDED: frozenset(),
}

COMMITMENT_STEPS: dict[CommitmentState, frozenset[CommitmentState]] = {
    CommitmentState.PENDING: frozenset(
        {CommitmentState.COMMITTED, CommitmentState.FAILED, CommitmentState.GIVEN_UP}
    ),
    CommitmentState.COMMITTED: frozenset(),
    CommitmentState.FAILED: frozenset(),
    CommitmentState.GIVEN_UP: frozenset({CommitmentState.PENDING}),  # its report has come after all
}

PROMISE_STEPS: dict[PromiseState, frozenset[PromiseState]] = {
    PromiseState.PENDING: frozenset({PromiseState.TOLD, PromiseState.GIVEN_UP}),
    PromiseState.TOLD: frozenset({PromiseState.PENDING}),  # the peer asks again
    PromiseState.GIVEN_UP: frozenset({PromiseState.PENDING}),
}

FETCH_STEPS: dict[FetchState, frozenset[FetchState]] = {
    FetchState.PENDING: frozenset({FetchState.DONE, FetchState.GIVEN_UP}),
    FetchState.DONE: frozenset({FetchState.PENDING}),
    FetchState.GIVEN_UP: frozenset({FetchState.PENDING}),
}

RECALL_STEPS: dict[RecallState, frozenset[RecallState]] = {
    RecallState.PENDING: frozenset({RecallState.DONE, RecallState.GIVEN_UP}),
    RecallState.DONE: frozenset(),
    RecallState.GIVEN_UP: frozenset({RecallState.PENDING}),  # its study settles anew
}

NOTICE_STEPS: dict[NoticeState, frozenset[NoticeState]] = {
    NoticeState.PENDING: frozenset({NoticeState.SENT, NoticeState.GIVEN_UP}),
    NoticeState.SENT: frozenset(),
    NoticeState.GIVEN_UP: frozenset(),
}

TRIAL_STEPS: dict[TrialState, frozenset[TrialState]] = {
    TrialState.PENDING: frozenset({TrialState.DONE, TrialState.FAILED}),
    TrialState.DONE: frozenset(),
    TrialState.FAILED: frozenset(),
}


def check_step(table: dict[S, frozenset[S]], what: str, now: S, to: S) -> None:
    """Raise `IllegalStep` unless `table` allows `now` → `to`."""
    if to not in table[now]:
        allowed = ", ".join(sorted(table[now])) or "none: it has ended"
        raise IllegalStep(f"{what} is {now} and cannot become {to} (allowed: {allowed})")
