"""A bench waits for jobs, is kept whole or with its reason, and harms nothing; dicom_node.pipeline.idle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from dicom_node.errors import NotTried
from dicom_node.pipeline.bench import TryModels
from storage.database import Database
from storage.lifecycle import TrialState
from storage.records import Job
from storage.working.benches import Bench
from storage.working.shadows import Pair

ANSWER = {"device": "cpu", "runs": [], "chosen": "fp32", "better": None}


@dataclass
class Command:
    """What stands for the process: it answers as it is told."""

    fault: str = ""
    tried: list[str] = field(default_factory=list)

    def __call__(self, model: str) -> Mapping[str, Any]:
        self.tried.append(model)
        if self.fault:
            raise NotTried(self.fault)
        return ANSWER


@pytest.fixture
def command() -> Command:
    return Command()


@pytest.fixture
def stage(database: Database, command: Command) -> TryModels:
    with database.transaction() as tx:
        tx.benches.add("liver", "otto", 10.0)
    return TryModels(database, command, "me", 60.0, clock=lambda: 50.0)


def last(database: Database) -> Bench:
    with database.reading() as tx:
        return tx.benches.newest()["liver"]


def test_what_came_out_is_kept_and_told(stage: TryModels, database: Database, command: Command) -> None:
    assert stage.step(20.0)
    assert (last(database).state, last(database).ended_at, last(database).answer) == (TrialState.DONE, 50.0, ANSWER)
    with database.reading() as tx:
        assert tx.journal.recent(1)[0].text == "model liver was tried on a phantom: done"
    assert not stage.step(60.0)
    assert command.tried == ["liver"]


def test_why_it_failed_is_kept(stage: TryModels, database: Database, command: Command) -> None:
    command.fault = "no memory"
    stage.step(20.0)
    assert (last(database).state, last(database).reason) == (TrialState.FAILED, "no memory")


def test_it_waits_for_every_job_but_those_of_disabled_models(
    stage: TryModels, queue: Callable[..., Job], database: Database, command: Command
) -> None:
    queue()
    assert not stage.step(20.0)
    with database.transaction() as tx:
        model = tx.jobs.of_study("1.2.3")[0].model
    assert replace(stage, closed=(model,)).step(20.0)
    with database.transaction() as tx:
        tx.jobs.claim("infer", 20.0, 60.0)
        tx.benches.add("liver", "otto", 30.0)
    assert not replace(stage, closed=(model,)).step(40.0), "one runs"
    assert command.tried == ["liver"]


def test_a_shadow_that_runs_is_not_measured_as_well(stage: TryModels, database: Database) -> None:
    with database.transaction() as tx:
        tx.shadows.add(Pair("job", "1.2.3", "liver", "1", "next"), 10.0)
        tx.shadows.claim("shadow", 15.0, 20.0)
    assert not stage.step(20.0)
    assert stage.step(36.0), "its lease is over"
