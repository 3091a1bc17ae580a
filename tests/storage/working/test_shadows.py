"""Shadows: queued once a job, leased, given back to a job that comes, ended with both sides or a reason."""

from __future__ import annotations

import pytest

from storage.database import Database
from storage.errors import LeaseLost
from storage.lifecycle import TrialState
from storage.working.shadows import Pair


def pair(job: str = "job-1") -> Pair:
    return Pair(job, "1.2.3", "liver", "1.0", "liver_next")


def test_a_job_is_looked_at_once_by_a_shadow_in_the_order_of_the_queue(db: Database) -> None:
    with db.transaction() as tx:
        assert tx.shadows.add(pair("job-2"), 200.0)
        assert tx.shadows.add(pair(), 100.0)
        assert not tx.shadows.add(pair(), 300.0)
        first = tx.shadows.claim("worker", 400.0, 60.0)
        assert (first.job_id, first.attempts, first.state) == ("job-1", 1, TrialState.PENDING)
        assert tx.shadows.claim("worker", 400.0, 60.0).job_id == "job-2"
        assert not tx.shadows.waiting(459.0)
        assert tx.shadows.waiting(460.0)


def test_what_makes_way_waits_again_and_that_is_no_attempt(db: Database) -> None:
    with db.transaction() as tx:
        tx.shadows.add(pair(), 100.0)
        found = tx.shadows.claim("worker", 100.0, 60.0)
        tx.shadows.renew(found.shadow_id, "worker", 300.0)
        tx.shadows.give_back(found.shadow_id, "worker")
        assert tx.shadows.claim("worker", 101.0, 60.0).attempts == 1
        with pytest.raises(LeaseLost):
            tx.shadows.failed(found.shadow_id, "another", 102.0, "late")


def test_both_sides_or_the_reason_are_kept(db: Database) -> None:
    with db.transaction() as tx:
        for job in ("job-1", "job-2"):
            tx.shadows.add(pair(job), 100.0)
        first, second = (tx.shadows.claim("worker", 100.0, 60.0) for _ in range(2))
        answer = {"regions": {"Liver": {"dice": 0.5}}}
        tx.shadows.done(first.shadow_id, "worker", 110.0, version="2.0", mean_dice=0.5, answer=answer)
        tx.shadows.failed(second.shadow_id, "worker", 120.0, "no memory")
        newest, before = tx.shadows.of_model("liver", 10)
        assert (newest.state, newest.reason, newest.mean_dice) == (TrialState.FAILED, "no memory", None)
        assert (before.shadow_version, before.mean_dice, before.answer) == ("2.0", 0.5, answer)
        assert [one.job_id for one in tx.shadows.of_model("liver", 1)] == ["job-2"]
        assert tx.shadows.of_model("brain", 10) == []
