"""A model is tried on a phantom because a person asked: when no job waits, in its own process, for so long at most.

What came out is kept. It sends nothing, and a model that fails in it harms nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dicom_node.errors import NotTried
from dicom_node.pipeline.idle import idle
from dicom_node.pipeline.keeper import Keeper
from storage.database import Database, Transaction
from storage.lifecycle import TrialState
from storage.working.benches import Bench

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TryModels:
    """Runs what was queued. `run` gives what `segnode models bench --json` says of a model; NotTried."""

    database: Database
    run: Callable[[str], Mapping[str, Any]]
    owner: str
    lease_term_s: float
    closed: Collection[str] = ()
    revision: int = 0
    clock: Callable[[], float] = time.time
    name: str = "bench"

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.benches.waiting(now) or not self._has_time(tx, now):
                return False
        with self.database.transaction() as tx:
            bench = tx.benches.claim(self.owner, now, self.lease_term_s) if self._has_time(tx, now) else None
        if bench is None:
            return False
        state, told = self._tried(bench)
        ended = self.clock()
        with self.database.transaction() as tx:
            tx.benches.end(bench.bench_id, self.owner, state, ended, **told)
            text = f"model {bench.model} was tried on a phantom: {told.get('reason') or 'done'}"
            tx.journal.add(ended, "model tried", text, revision=self.revision)
        log.info("model %s tried: %s", bench.model, state)
        return True

    def _has_time(self, tx: Transaction, now: float) -> bool:
        """Neither a job nor a shadow runs, which would be measured as well."""
        return idle(tx, now, self.closed) and not tx.shadows.running(now)

    def _tried(self, bench: Bench) -> tuple[TrialState, dict[str, Any]]:
        term = self.lease_term_s
        keep = Keeper(
            self.database,
            lambda tx: tx.benches.renew(bench.bench_id, self.owner, time.time() + term),
            term,
        )
        with keep:
            try:
                return TrialState.DONE, {"answer": self.run(bench.model)}
            except NotTried as fault:
                return TrialState.FAILED, {"reason": str(fault)}
