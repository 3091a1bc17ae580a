"""Group commit: threads that wait for SQLite at the same time share one transaction, and its one sync.

Whoever has its turn first does the work of all that wait, in the order in which they came. Each returns once that
commit is durable, so what it may promise is what it could promise after a transaction of its own. Where commits were
shared lately, it first waits a moment for those who are `coming`.

PostgreSQL shares syncs by itself. There each has its own transaction: one that writes the rows of several studies could
wait for another process's, and that one for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from storage.database import Database, Transaction
from storage.errors import Unavailable
from storage.sql.engines import BUSY_S

Result = TypeVar("Result")

MOST = 64  # in one transaction, so that no commit grows without bound
ENOUGH = 4  # of whom each pays a quarter; to wait for more would save little
PATIENCE_S = 0.002  # about what a commit takes


@dataclass(eq=False)
class _Ticket:
    """One thread's work while it waits."""

    work: Callable[[Transaction], Any]
    result: Any = None
    committed: bool = False
    alone: bool = False  # a shared transaction failed, perhaps by this work


class Together:
    """Writes in transactions of one database that its threads may share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._lock = threading.Lock()
        self._arrival = threading.Condition(self._lock)
        self._coming = 0
        self._in_company = False  # as the last commit was: where nobody came, the next does not wait

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Within, this thread prepares what it is about to commit."""
        with self._lock:
            self._coming += 1
        try:
            yield
        finally:
            with self._lock:
                self._coming -= 1
                self._arrival.notify()  # …that nobody waits for it in vain where it does not come

    def commit(self, work: Callable[[Transaction], Result]) -> Result:
        """Do `work` in a transaction, and return its result once that is committed.

        With SQLite others' work may be in the same transaction. Where that fails, each is done anew in one of its own:
        so `work` changes nothing but the transaction, and what it raises is raised to its own caller alone.
        """
        if not self._database.has_one_writer:
            with self._database.transaction() as tx:
                return work(tx)
        ticket = _Ticket(work)
        with self._lock:
            self._waiting.append(ticket)
            self._arrival.notify()
        with self._in_turn(ticket):
            if not ticket.committed:
                self._lead(ticket)
        return cast(Result, ticket.result)

    def _lead(self, ticket: _Ticket) -> None:
        with self._lock:
            if self._in_company and not ticket.alone:
                self._wait_for_company()
            others = [one for one in self._waiting if one is not ticket and not one.alone][: MOST - 1]
            batch = [ticket] if ticket.alone or not others else [ticket, *others]
            self._waiting = [one for one in self._waiting if one not in batch]
            self._in_company = len(batch) > 1
        if len(batch) > 1 and not self._done_in_company(batch):
            with self._lock:  # the others come to their turn
                self._waiting = [*batch[1:], *self._waiting]
        if not ticket.committed:
            self._do([ticket])

    def _wait_for_company(self) -> None:
        """With the lock held, which is let go meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while self._coming and len(self._waiting) < ENOUGH and (left := deadline - time.monotonic()) > 0:
            self._arrival.wait(left)

    def _done_in_company(self, batch: list[_Ticket]) -> bool:
        """False where one of them failed: whose fault it was shows when each is done alone, and is raised there."""
        try:
            self._do(batch)
        except Exception:  # noqa: BLE001 (what another's work raises is not for the one that leads)
            for ticket in batch:
                ticket.alone = True
            return False
        return True

    def _do(self, batch: list[_Ticket]) -> None:
        with self._database.transaction() as tx:
            for ticket in batch:
                ticket.result = ticket.work(tx)
        for ticket in batch:
            ticket.committed = True

    @contextmanager
    def _in_turn(self, ticket: _Ticket) -> Iterator[None]:
        if not self._turn.acquire(timeout=BUSY_S):
            with self._lock:
                self._waiting = [one for one in self._waiting if one is not ticket]
            raise Unavailable(f"other threads have kept the database for {BUSY_S} s")
        try:
            yield
        finally:
            self._turn.release()
