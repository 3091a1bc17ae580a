"""Benches: one at a time, leased, the last of each model kept."""

from __future__ import annotations

import pytest

from storage.database import Database
from storage.errors import IllegalStep, LeaseLost
from storage.lifecycle import TrialState

ANSWER = {"device": "cpu", "runs": [], "chosen": "fp32"}


def test_one_waits_or_runs_at_a_time(db: Database) -> None:
    with db.transaction() as tx:
        assert tx.benches.add("liver", "otto", 100.0)
        assert not tx.benches.add("brain", "ada", 101.0)
        bench = tx.benches.claim("worker", 102.0, 60.0)
        assert (bench.model, bench.by, bench.state) == ("liver", "otto", TrialState.PENDING)
        assert not tx.benches.add("brain", "ada", 103.0)
        assert tx.benches.open().lease_until == 162.0
        tx.benches.end(bench.bench_id, "worker", TrialState.DONE, 110.0, answer=ANSWER)
        assert tx.benches.add("brain", "ada", 111.0)


def test_what_its_owner_left_is_taken_over_and_the_lease_is_looked_at(db: Database) -> None:
    with db.transaction() as tx:
        tx.benches.add("liver", "otto", 100.0)
        bench = tx.benches.claim("one", 100.0, 60.0)
        assert not tx.benches.waiting(130.0)
        tx.benches.renew(bench.bench_id, "one", 200.0)
        assert tx.benches.waiting(200.0)
        assert tx.benches.claim("two", 200.0, 60.0).bench_id == bench.bench_id
        with pytest.raises(LeaseLost):
            tx.benches.end(bench.bench_id, "one", TrialState.DONE, 201.0)
        with pytest.raises(IllegalStep):
            tx.benches.end(bench.bench_id, "two", TrialState.PENDING, 201.0)


def test_the_last_of_each_model_is_told(db: Database) -> None:
    with db.transaction() as tx:
        for at, state in ((100.0, TrialState.DONE), (200.0, TrialState.FAILED)):
            tx.benches.add("liver", "otto", at)
            bench = tx.benches.claim("worker", at, 60.0)
            tx.benches.end(bench.bench_id, "worker", state, at + 5.0, reason="" if at < 200 else "no memory")
        assert (list(tx.benches.newest()), tx.benches.open()) == (["liver"], None)
        last = tx.benches.newest()["liver"]
        assert (last.state, last.reason, last.ended_at) == (TrialState.FAILED, "no memory", 205.0)
