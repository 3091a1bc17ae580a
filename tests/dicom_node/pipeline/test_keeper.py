"""A lease lives while its owner works or waits; a job's tells how far the job is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from dicom_node.pipeline import keeper
from dicom_node.pipeline.keeper import Keeper, LeaseKeeper
from storage.database import Database
from storage.errors import LeaseLost, Unavailable
from storage.records import Job

PATIENCE_S = 30.0
TERM_S = 0.3  # short, so that a third of it passes soon


@pytest.fixture
def job(database: Database, queue: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> Callable[[], Job]:
    """A job that `me` holds; calling it looks again."""
    monkeypatch.setattr(keeper, "TELL_EVERY_S", 0.0)
    queue()
    with database.transaction() as tx:
        claimed = tx.jobs.claim("me", time.time(), TERM_S)
    assert claimed is not None

    def look() -> Job:
        with database.reading() as tx:
            return tx.jobs.get(claimed.job_id)

    return look


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_lease_is_renewed_again_and_again(database: Database, job: Callable[[], Job]) -> None:
    first = job().lease_until or 0.0
    with LeaseKeeper(database, job().job_id, "me", TERM_S):
        until(lambda: (job().lease_until or 0.0) > first)
        second = job().lease_until or 0.0
        until(lambda: (job().lease_until or 0.0) > second)
    assert (job().lease_until or 0.0) > second > first


def test_progress_is_told_at_once(database: Database, job: Callable[[], Job]) -> None:
    with LeaseKeeper(database, job().job_id, "me", term_s=3600.0) as lease:
        lease.report(0.25, "network")
        until(lambda: (job().progress, job().step) == (0.25, "network"))
        assert job().lease_owner == "me", "telling takes nothing from the lease"


def test_it_ends_with_the_job(database: Database, job: Callable[[], Job]) -> None:
    with LeaseKeeper(database, job().job_id, "me", term_s=3600.0):
        assert "lease-keeper" in {thread.name for thread in threading.enumerate()}
    assert "lease-keeper" not in {thread.name for thread in threading.enumerate()}


def test_a_fault_of_the_job_goes_through(database: Database, job: Callable[[], Job]) -> None:
    with pytest.raises(ValueError, match="of the job"), LeaseKeeper(database, job().job_id, "me", TERM_S):
        raise ValueError("of the job")


def test_a_lost_lease_is_left_to_the_end_of_the_job(
    database: Database, job: Callable[[], Job], caplog: pytest.LogCaptureFixture
) -> None:
    with database.transaction() as tx:
        tx.jobs.supersede(job().job_id, 30.0, "late images")
    with LeaseKeeper(database, job().job_id, "me", TERM_S) as lease:
        lease.report(0.5, "network")
        until(lambda: "no longer holds" in caplog.text)
        lease.report(0.6, "network")
    assert job().progress == 0.0


def test_a_database_that_does_not_answer_is_asked_again(
    database: Database, job: Callable[[], Job], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers, transaction = [Unavailable("locked")], Database.transaction

    def flaky(self: Database) -> object:
        if answers:
            raise answers.pop()
        return transaction(self)

    monkeypatch.setattr(Database, "transaction", flaky)
    with LeaseKeeper(database, job().job_id, "me", TERM_S) as lease:
        lease.report(0.5, "network")
        until(lambda: job().progress == 0.5)
    assert "lease not renewed yet: locked" in caplog.text


class TestAnyLease:
    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeper, "TELL_EVERY_S", 0.0)

    def test_it_is_renewed_again_and_again(self, database: Database) -> None:
        thrice = threading.Semaphore(0)
        with Keeper(database, lambda tx: thrice.release(), term_s=0.03):
            for _ in range(3):
                assert thrice.acquire(timeout=10)
        before = thrice._value
        threading.Event().wait(0.05)
        assert thrice._value == before, "it has ended"

    @pytest.mark.parametrize(("error", "again"), [(LeaseLost("gone"), False), (Unavailable("locked"), True)])
    def test_a_lost_one_is_not_asked_for_again_and_a_busy_database_is(
        self, database: Database, error: Exception, again: bool
    ) -> None:
        second, calls = threading.Event(), []

        def renew(tx: object) -> None:
            calls.append(tx)
            if len(calls) == 1:
                raise error
            second.set()

        with Keeper(database, renew, term_s=0.03):
            assert second.wait(10 if again else 0.2) is again
