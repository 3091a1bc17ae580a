"""Which studies are late, and that each is told once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.database import Database
from storage.lifecycle import DeliveryState, JobState, StudyState
from storage.records import Job

BEFORE, NOW = 2000.0, 5000.0


def late(db: Database, before: float = BEFORE, since: float = 0.0) -> list[str]:
    with db.reading() as tx:
        return tx.alerts.late(before, since)


def test_a_study_that_has_not_settled(db: Database, study: str) -> None:
    assert late(db) == [study]
    assert late(db, before=1.0) == []
    assert late(db, since=NOW) == []


@pytest.mark.parametrize(("state", "is_late"), [
    (None, True), (JobState.FAILED, True), (JobState.REFUSED, False), (JobState.DONE, False),
])
def test_a_job_without_a_result(db: Database, study: str, make_job: Callable[..., Job], state, is_late: bool) -> None:
    with db.transaction() as tx:
        tx.studies.move(study, StudyState.COMPLETE, 1100.0)
        tx.studies.move(study, StudyState.DISPATCHED, 1100.0)
        tx.jobs.add(make_job(study_instance_uid=study, job_id="j", created_at=1100.0))
        if state:
            tx.jobs.claim("me", 1200.0, 60.0)
            tx.jobs.finish("j", "me", state, 1300.0)
    assert (late(db) == [study]) is is_late


@pytest.mark.parametrize(("state", "is_late"), [
    (DeliveryState.PENDING, True), (DeliveryState.DEAD, True), (DeliveryState.HELD, False),
    (DeliveryState.SENT, False),
])
def test_a_result_that_has_not_arrived(
    db: Database, study: str, make_job: Callable[..., Job], state: DeliveryState, is_late: bool
) -> None:
    with db.transaction() as tx:
        tx.studies.move(study, StudyState.COMPLETE, 1100.0)
        tx.studies.move(study, StudyState.DISPATCHED, 1100.0)
        tx.jobs.add(make_job(study_instance_uid=study, job_id="j"))
        tx.jobs.claim("me", 1200.0, 60.0)
        tx.jobs.finish("j", "me", JobState.DONE, 1300.0)
        tx.deliveries.add("j", study, "pacs", state, 1300.0)
    assert (late(db) == [study]) is is_late
    with db.reading() as tx:
        assert [one[2:] for one in tx.alerts.why(study)] == ([(state, "pacs")] if is_late else [])


def test_one_is_raised_once_and_resolved_once(db: Database, study: str) -> None:
    with db.transaction() as tx:
        assert [tx.alerts.raise_(study, NOW) for _ in range(2)] == [True, False]
        assert tx.alerts.open_count() == 1
        assert tx.alerts.late(BEFORE, 0.0) == [], "it is known"
        assert tx.alerts.over(BEFORE) == []
        tx.studies.move(study, StudyState.COMPLETE, NOW)
        tx.studies.move(study, StudyState.NOT_ROUTED, NOW)
        assert tx.alerts.over(BEFORE) == [study]
        assert [tx.alerts.resolve(study, NOW) for _ in range(2)] == [True, False]
        assert tx.alerts.raise_(study, NOW + 1), "it may be late again"
