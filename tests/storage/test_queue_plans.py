"""However many jobs wait, a claim is the first entry of an index, and leases are found beside the queue."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import event

from storage.database import Database, Transaction
from storage.errors import StorageError
from storage.lifecycle import JobState

QUEUED = 2000
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
    if "postgresql" in url:
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE")
    yield database
    database.close()


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
