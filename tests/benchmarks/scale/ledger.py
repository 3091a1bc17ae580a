"""What PostgreSQL itself says it did: its counters, read before and after."""

from __future__ import annotations

import time

import psutil
import psycopg
from receivers import Receiver
from scale.steps import Account

TOTALS = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
BY_KIND = """
    SELECT upper(split_part(trim(query), ' ', 1)), sum(calls) FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1
"""
KINDS = ("COMMIT", "SELECT", "INSERT", "UPDATE")
IDLE_S = 6.0
ROW = "SELECT pg_total_relation_size('instances') / greatest(count(*), 1) FROM instances"


class Ledger:
    """Reads the counters of one database, whose server loads pg_stat_statements and does nothing else."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        server = psutil.Process(self._connection.info.backend_pid).parent()
        assert server is not None
        self._server = Receiver("", 0, server.pid)

    def read(self) -> Account:
        """All that was done so far."""
        transaction, wal_bytes = self._connection.execute(TOTALS).fetchone()  # type: ignore[misc]
        calls = dict(self._connection.execute(BY_KIND).fetchall())
        commits, selects, inserts, updates = (float(calls.get(kind, 0)) for kind in KINDS)
        return Account(commits, float(transaction), selects, inserts, updates, self._server.cpu_s(), float(wal_bytes))

    @property
    def version(self) -> str:
        """Of the server."""
        return self._connection.info.parameter_status("server_version") or "?"

    def row_bytes(self) -> float:
        """Of an image's row, with its indexes."""
        (size,) = self._connection.execute(ROW).fetchone()  # type: ignore[misc]
        return float(size)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


def idle_of(ledger: Ledger) -> Account:
    """Of a second in which nobody works."""
    before, start = ledger.read(), time.monotonic()
    time.sleep(IDLE_S)
    return ledger.read().less(before, 1).share(time.monotonic() - start)
