"""Whether the node has time for what nobody waits for: no job runs, and none is to be run."""

from __future__ import annotations

from collections.abc import Collection

from storage.database import Transaction


def idle(tx: Transaction, now: float, closed: Collection[str] = ()) -> bool:
    """No job runs anywhere and none waits, but for those of models in `closed`, which take none."""
    return not tx.jobs.waiting(now, closed) and not tx.jobs.running(now)
