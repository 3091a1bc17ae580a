"""What runs beside the jobs is ended once, as soon as one waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dicom_node.pipeline import give_way
from dicom_node.pipeline.give_way import GiveWay
from storage.database import Database
from storage.errors import Unavailable
from storage.records import Job


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(give_way, "LOOK_EVERY_S", 0.01)


def test_it_is_ended_when_a_job_comes(database: Database, queue: Callable[..., Job]) -> None:
    ended = threading.Event()
    with GiveWay(database, ended.set):
        assert not ended.wait(0.05)
        queue()
        assert ended.wait(10.0)


def test_jobs_of_disabled_models_do_not_count(database: Database, queue: Callable[..., Job]) -> None:
    queue()
    ended = threading.Event()
    with GiveWay(database, ended.set, closed=["liver"]):
        assert not ended.wait(0.05)


def test_a_database_that_does_not_answer_is_asked_again(
    database: Database, queue: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue()
    faults, ended, idle = [Unavailable("busy")], threading.Event(), give_way.idle

    def sometimes(*asked: object) -> bool:
        if faults:
            raise faults.pop()
        return idle(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(give_way, "idle", sometimes)
    with GiveWay(database, ended.set):
        assert ended.wait(10.0)
