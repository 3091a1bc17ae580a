"""However many jobs wait, a claim is the first entry of an index, and leases are found beside the queue.

Nor does a look for what is late, or for what may be dispatched, go through what is done.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import event

from storage.arriving.prior_waits import PriorWait
from storage.database import Database, Transaction
from storage.errors import StorageError
from storage.lifecycle import JobState, StudyState

QUEUED = 2000
DONE = 500
LEASED, CRASHED, QUEUE = "ix_jobs_leased", "ix_jobs_crashed", "ix_jobs_queue"


@pytest.fixture
def queue(url, make_instance, make_job):
    """A database with many jobs that wait and two that run; PostgreSQL has looked at them, as it does by itself."""
    database = Database.open(url)
    with database.transaction() as tx:
        tx.studies.add_instance(make_instance())
        for number in range(QUEUED):
            tx.jobs.add(make_job(f"job-{number:05}", priority=number % 3, created_at=float(number)))
        assert tx.jobs.claim("a", 5000.0, 60.0)
        assert tx.jobs.claim("b", 5000.0, 60.0)
    analyze(url)
    yield database
    database.close()


def analyze(url: str) -> None:
    """PostgreSQL looks at its tables."""
    if "postgresql" in url:
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE")


def plan(database: Database, ask: Callable[[Transaction], object]) -> str:
    """How the database does what `ask` asks first; nothing of it is kept."""
    asked: list[tuple[str, object]] = []

    def listen(conn: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    found: list[str] = []
    try:
        with database.transaction() as tx:
            event.listen(tx._connection, "before_cursor_execute", listen)
            ask(tx)
            event.remove(tx._connection, "before_cursor_execute", listen)
            statement, parameters = asked[0]
            words = "EXPLAIN" if tx._connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
            rows = tx._connection.exec_driver_sql(f"{words} {statement}", parameters)
            found.append("\n".join(str(row[-1]) for row in rows))
            tx._connection.exec_driver_sql("nonsense")  # which takes the transaction back
    except StorageError:
        return found[0]
    raise AssertionError("it was kept")


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda tx: tx.jobs.claim("c", 5000.0, 60.0), QUEUE),
        (lambda tx: tx.jobs.claim("c", 5000.0, 60.0, ["resting"]), QUEUE),
        (lambda tx: tx.jobs.running(5000.0), LEASED),
        (lambda tx: tx.jobs.reap(6000.0), LEASED),
        (lambda tx: tx.jobs.fail_crashed(2, 6000.0), CRASHED),
        (lambda tx: tx.handover.of("a"), LEASED),
    ],
    ids=["claim", "claim but for a model", "running", "reap", "fail", "hand back"],
)
def test_no_look_walks_through_the_queue(queue, ask, index):
    steps = plan(queue, ask)
    assert index in steps, steps
    assert "Seq Scan on jobs" not in steps, steps
    assert "SCAN jobs\n" not in f"{steps}\n", steps
    if index == QUEUE:
        assert "Sort" not in steps, steps
        assert "TEMP B-TREE" not in steps, steps


def test_what_they_find_is_what_there_is(queue):
    with queue.transaction() as tx:
        assert {job.lease_owner for job in tx.jobs.running(5000.0)} == {"a", "b"}
        assert len(tx.jobs.reap(6000.0)) == 2
        assert tx.jobs.running(5000.0) == []
        assert tx.jobs.fail_crashed(2, 6000.0) == []
        assert len(tx.jobs.fail_crashed(1, 6000.0)) == 2
        assert tx.jobs.counts() == {JobState.PENDING: QUEUED - 2, JobState.FAILED: 2}


@pytest.fixture
def settle(make_instance, make_job):
    """`settle(tx, number, state)`: a study that has settled, dispatched where its job has a state."""

    def settled(tx: Transaction, number: int, state: JobState | None = None) -> str:
        uid = f"1.2.{number}"
        tx.studies.add_instance(make_instance(study_instance_uid=uid, received_at=1000.0 + number))
        tx.studies.move(uid, StudyState.COMPLETE, 3000.0)
        if state:
            tx.studies.move(uid, StudyState.DISPATCHED, 3000.0)
            tx.jobs.add(make_job(f"job-{number}", study_instance_uid=uid, state=state, created_at=3000.0))
        return uid

    return settled


def test_late_studies_are_found_by_what_is_not_done(url, settle):
    database = Database.open(url)
    with database.transaction() as tx:
        for number in range(DONE):
            settle(tx, number, JobState.FAILED if number == 7 else JobState.DONE)
    analyze(url)
    with database.reading() as tx:
        assert tx.alerts.late(4000.0, 500.0) == ["1.2.7"]
    steps = plan(database, lambda tx: tx.alerts.late(4000.0, 500.0))
    database.close()
    if "postgresql" in url:  # each study is looked up that a job or a delivery names
        assert steps.count("using pk_studies on studies") == 2, steps
        assert "Seq Scan on jobs" not in steps, steps
    else:  # the rest begins at the jobs and deliveries that are not done
        assert steps.count("SEARCH studies USING COVERING INDEX ix_studies_settled") == 1, steps
        assert steps.count("SEARCH studies USING INDEX sqlite_autoindex_studies_1 (study_uid=?)") == 2, steps
        assert "SEARCH jobs USING INDEX ix_jobs_study" not in steps, steps


def test_what_waits_for_an_earlier_study_is_looked_up_by_that_one(url, settle):
    database = Database.open(url)
    with database.transaction() as tx:
        for number in range(10):  # half of these wait for one that has a job, half for one that is through
            wait = PriorWait(settle(tx, number), f"1.2.{10 + number}", "brain_tumour", 3000.0, 3600.0)
            tx.prior_waits.keep(wait)
        for number in range(10, DONE):
            settle(tx, number, JobState.PENDING if number < 15 else JobState.DONE)
    analyze(url)

    def ready(tx: Transaction) -> list[str]:
        return [one.study_instance_uid for one in tx.studies.ready(3100.0, 20, closed=["resting"])]

    def unsettled(tx: Transaction) -> set[str]:
        return tx.prior_waits.unsettled(["1.2.14", "1.2.15"], "brain_tumour", ["resting"])

    with database.reading() as tx:
        assert ready(tx) == [f"1.2.{number}" for number in (9, 8, 7, 6, 5)]
        assert unsettled(tx) == {"1.2.14"}
    for look in (ready, unsettled):
        steps = plan(database, look)
        assert "Seq Scan on jobs" not in steps, steps
        assert "Seq Scan on studies" not in steps, steps
        if "sqlite" in url:  # it has not looked at its tables
            assert "SEARCH jobs USING INDEX ix_jobs_study" in steps, steps
            assert "SCAN" not in steps, steps
    database.close()
