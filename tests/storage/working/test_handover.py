"""A process that ends on purpose hands its leases back: another takes the work at once, and nobody crashed."""

from storage.arriving.fetches import Fetches
from storage.lifecycle import FetchState
from storage.records import FetchPurpose, Wanted
from storage.sql.tables_audit import metadata
from storage.working.handover import LEASED


def test_it_knows_every_table_whose_work_is_leased():
    leased = {table.name for table in metadata.sorted_tables if {"lease_owner", "state"} <= set(table.columns.keys())}
    assert {table.name for table in LEASED} == leased


def test_another_takes_it_at_once_and_no_crash_is_counted(db, job):
    with db.transaction() as tx:
        tx.fetches.want(Wanted("1.2.3", "pacs", FetchPurpose.MISSING, 60.0, 0.0, {}), 0.0, over=tuple(FetchState))
        assert tx.jobs.claim("host:7:ab:infer-0", 1000.0, 60.0)
        assert tx.fetches.claim("host:7:ab:fetch", 1000.0, 60.0, FetchPurpose.MISSING)
    with db.transaction() as tx:
        assert tx.handover.of("host:7:ab:") == 2
        assert tx.handover.of("host:7:ab:") == 0
    with db.transaction() as tx:
        taken = tx.jobs.claim("other:7:cd:infer-0", 1001.0, 60.0)
        assert taken is not None
        assert (taken.attempts, taken.crashes) == (2, 0)
        assert isinstance(tx.fetches, Fetches)
        assert tx.fetches.claim("other:7:cd:fetch", 1001.0, 60.0, FetchPurpose.MISSING)


def test_what_others_hold_stays_theirs_whatever_their_names(db, job):
    with db.transaction() as tx:
        assert tx.jobs.claim("host:77:ab:infer-0", 1000.0, 60.0)
    with db.transaction() as tx:
        assert [tx.handover.of(name) for name in ("host:7:", "host_77:", "%")] == [0, 0, 0]
