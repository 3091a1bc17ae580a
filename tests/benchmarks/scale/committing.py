"""How many images' rows PostgreSQL commits a second, each in a transaction of its own, from so many processes."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from scale.ledger import Ledger

LASTS_S = 4.0


@dataclass(frozen=True)
class Committed:
    """Rows a second, and what each took of the server's processor."""

    processes: int
    rows_a_s: float
    cpu_s: float


def committed(url: str, processes: int) -> Committed:
    """Measured for a few seconds over a schema that is there."""
    ledger = Ledger(url)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(partial(_commit, url, 0.1), range(processes)))  # imports, connections, prepared statements
        before = ledger.read().cpu_s
        counts = list(pool.map(partial(_commit, url, LASTS_S), range(processes, 2 * processes)))
    spent, rows = ledger.read().cpu_s - before, sum(counts)
    ledger.close()
    return Committed(processes, rows / LASTS_S, spent / rows)


def _commit(url: str, lasts_s: float, number: int) -> int:
    """The receiver's own statements, of a study of its own; how many were committed."""
    from growth import arriving

    from storage.database import Database

    database, study, count = Database.open(url), f"1.2.840.2.{number}", 0
    end = time.monotonic() + lasts_s
    with database.transaction() as tx:
        tx.associations.open(study, "bench", "CT1", "SEGNODE", "127.0.0.1", time.time(), 60.0)
    while time.monotonic() < end:
        with database.transaction() as tx:
            tx.studies.add_instance(arriving(study, count), {"PatientID": study, "PatientName": "Doe^Jane"})
            tx.by_hand.end(study, study)
        count += 1
    database.close()
    return count
