"""The lifecycles, written down a second time by hand: each pair of states is allowed or it is not."""

from itertools import product

import pytest

from storage.errors import IllegalStep
from storage.lifecycle import (
    COMMITMENT_STEPS,
    DELIVERY_STEPS,
    FETCH_STEPS,
    JOB_STEPS,
    NOTICE_STEPS,
    PROMISE_STEPS,
    RECALL_STEPS,
    STUDY_STEPS,
    TRIAL_STEPS,
    CommitmentState,
    DeliveryState,
    FetchState,
    JobState,
    NoticeState,
    PromiseState,
    RecallState,
    StudyState,
    TrialState,
    check_step,
)

STUDY = """
RECEIVING  -> FETCHING COMPLETE
FETCHING   -> RECEIVING COMPLETE
COMPLETE   -> RECEIVING FETCHING DISPATCHED NOT_ROUTED
DISPATCHED -> RECEIVING FETCHING COMPLETE REMOVED
NOT_ROUTED -> RECEIVING FETCHING COMPLETE REMOVED
REMOVED    -> RECEIVING FETCHING NOT_ROUTED
"""
JOB = """
PENDING    -> DONE REFUSED FAILED SUPERSEDED
DONE       -> SUPERSEDED PENDING
REFUSED    -> PENDING SUPERSEDED
FAILED     -> PENDING SUPERSEDED
SUPERSEDED ->
"""
DELIVERY = """
HELD       -> PENDING SUPERSEDED
PENDING    -> SENT DEAD SUPERSEDED
SENT       -> PENDING COMMITTED DEAD
COMMITTED  -> PENDING
DEAD       -> PENDING SUPERSEDED
SUPERSEDED ->
"""
COMMITMENT = """
PENDING    -> COMMITTED FAILED GIVEN_UP
COMMITTED  ->
FAILED     ->
GIVEN_UP   -> PENDING
"""
PROMISE = """
PENDING    -> TOLD GIVEN_UP
TOLD       -> PENDING
GIVEN_UP   -> PENDING
"""
FETCH = """
PENDING    -> DONE GIVEN_UP
DONE       -> PENDING
GIVEN_UP   -> PENDING
"""
NOTICE = """
PENDING -> SENT
PENDING -> GIVEN_UP
"""

TRIAL = """
PENDING -> DONE FAILED
DONE    ->
FAILED  ->
"""

RECALL = """
PENDING    -> DONE GIVEN_UP
DONE       ->
GIVEN_UP   -> PENDING
"""


def pairs(table):
    lines = [line.split("->") for line in table.strip().splitlines()]
    return {(start.strip(), end) for start, ends in lines for end in ends.split()}


def every_pair():
    for name, states, steps, table in (
        ("study", StudyState, STUDY_STEPS, STUDY),
        ("job", JobState, JOB_STEPS, JOB),
        ("delivery", DeliveryState, DELIVERY_STEPS, DELIVERY),
        ("commitment", CommitmentState, COMMITMENT_STEPS, COMMITMENT),
        ("promise", PromiseState, PROMISE_STEPS, PROMISE),
        ("fetch", FetchState, FETCH_STEPS, FETCH),
        ("recall", RecallState, RECALL_STEPS, RECALL),
        ("notice", NoticeState, NOTICE_STEPS, NOTICE),
        ("trial", TrialState, TRIAL_STEPS, TRIAL),
    ):
        allowed = pairs(table)
        for now, to in product(states, states):
            yield pytest.param(steps, now, to, (now.value, to.value) in allowed, id=f"{name}-{now}-{to}")


@pytest.mark.parametrize(("steps", "now", "to", "allowed"), list(every_pair()))
def test_step(steps, now, to, allowed):
    if allowed:
        check_step(steps, "this", now, to)
    else:
        with pytest.raises(IllegalStep, match=f"this is {now} and cannot become {to}"):
            check_step(steps, "this", now, to)


@pytest.mark.parametrize(
    ("states", "table"),
    [
        (StudyState, STUDY),
        (JobState, JOB),
        (DeliveryState, DELIVERY),
        (CommitmentState, COMMITMENT),
        (PromiseState, PROMISE),
        (FetchState, FETCH),
        (RecallState, RECALL),
        (TrialState, TRIAL),
    ],
    ids=["study", "job", "delivery", "commitment", "promise", "fetch", "recall", "trial"],
)
def test_the_tables_here_know_every_state(states, table):
    assert {line.split("->")[0].strip() for line in table.strip().splitlines()} == {str(state) for state in states}


def test_an_ended_state_says_so():
    with pytest.raises(IllegalStep, match="it has ended"):
        check_step(JOB_STEPS, "job 1", JobState.SUPERSEDED, JobState.PENDING)
