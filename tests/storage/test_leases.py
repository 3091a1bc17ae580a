"""The arithmetic of leases: free until taken, and from the moment the term is over."""

import pytest
from sqlalchemy import select

from storage import leases
from storage.tables import jobs


@pytest.mark.parametrize(("now", "is_free", "is_lapsed"), [(1059.0, False, False), (1060.0, True, True)])
def test_a_term_ends_at_its_last_second(db, job, now, is_free, is_lapsed):
    with db.transaction() as tx:
        tx.jobs.claim("a", 1000.0, 60.0)
        query = select(leases.free(jobs, now), leases.lapsed(jobs, now))
        assert tuple(map(bool, tx._connection.execute(query).one())) == (is_free, is_lapsed)


def test_what_nobody_took_is_free_and_not_lapsed(db, job):
    with db.reading() as tx:
        query = select(leases.free(jobs, 1.0), leases.lapsed(jobs, 1.0))
        assert tuple(map(bool, tx._connection.execute(query).one())) == (True, False)
