"""Which roles run."""

from storage.records import ProcessRow


def test_a_beat_makes_or_renews_the_row_of_its_process(db):
    with db.transaction() as tx:
        tx.processes.beat("web", 11, "host", 1.0, 2.0, (), {})
        tx.processes.beat("receive", 12, "host", 1.0, 2.0, ("pynetdicom",), {"port": 104})
        tx.processes.beat("receive", 12, "host", 1.0, 4.0, ("pynetdicom", "sqlalchemy"), {"port": 104})
    with db.reading() as tx:
        assert tx.processes.list(5.0, 2.0) == [
            ProcessRow("receive", 12, "host", 1.0, 4.0, ("pynetdicom", "sqlalchemy"), {"port": 104})
        ]
        assert [row.role for row in tx.processes.list(5.0)] == ["receive", "web"]


def test_the_same_number_on_two_hosts_is_two_processes(db):
    with db.transaction() as tx:
        for host in ("one", "two"):
            tx.processes.beat("web", 11, host, 1.0, 2.0, (), {})
        tx.processes.gone(11, "one")
    with db.reading() as tx:
        assert [row.host for row in tx.processes.list(3.0)] == ["two"]


def test_the_silent_are_forgotten(db):
    with db.transaction() as tx:
        tx.processes.beat("web", 11, "host", 1.0, 2.0, (), {})
        assert (tx.processes.forget(11.9, 10.0), tx.processes.forget(12.0, 10.0)) == (0, 1)
