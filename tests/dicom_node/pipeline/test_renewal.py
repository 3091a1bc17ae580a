"""A lease is renewed while its owner waits, and no longer."""

from __future__ import annotations

import threading

import pytest

from dicom_node.pipeline.renewal import Renewal
from storage.database import Database
from storage.errors import LeaseLost, Unavailable


def test_the_lease_is_renewed_again_and_again(database: Database) -> None:
    thrice = threading.Semaphore(0)
    with Renewal(database, lambda tx, now: thrice.release(), term_s=0.03):
        for _ in range(3):
            assert thrice.acquire(timeout=10)
    before = thrice._value
    threading.Event().wait(0.05)
    assert thrice._value == before, "it has ended"


@pytest.mark.parametrize(("error", "again"), [(LeaseLost("gone"), False), (Unavailable("locked"), True)])
def test_a_lost_lease_is_not_asked_for_again_and_a_busy_database_is(
    database: Database, error: Exception, again: bool
) -> None:
    second, calls = threading.Event(), []

    def renew(tx: object, now: float) -> None:
        calls.append(now)
        if len(calls) == 1:
            raise error
        second.set()

    with Renewal(database, renew, term_s=0.03):
        assert second.wait(10 if again else 0.2) is again
