"""Models that are tried on a phantom because a person asked for it: one at a time, and what came out is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from storage import leases
from storage.lifecycle import TRIAL_STEPS, TrialState, check_step
from storage.sql.store import Store
from storage.sql.tables_models import benches
from storage.texts import plain

_PENDING = benches.c.state == TrialState.PENDING.value


@dataclass(frozen=True)
class Bench:
    """One trial of a model; `answer` is what `segnode models bench --json` says, {} where it has not ended well."""

    bench_id: int
    model: str
    by: str
    state: TrialState
    queued_at: float
    ended_at: float | None
    reason: str
    answer: Mapping[str, Any]
    lease_until: float | None


class Benches(Store):
    """Benches of one transaction."""

    def add(self, model: str, by: str, now: float) -> bool:
        """Queue one; False where one waits or runs already, of whatever model."""
        told = {"state": TrialState.PENDING.value, "reason": "", "answer": {}}
        return self._add(benches, model=model, by=plain(by), queued_at=now, **told)

    def open(self) -> Bench | None:
        """The one that waits or runs."""
        row = self._connection.execute(select(benches).where(_PENDING)).one_or_none()
        return None if row is None else _bench(row)

    def newest(self) -> dict[str, Bench]:
        """The last of each model, by its name."""
        last = select(func.max(benches.c.bench_id)).group_by(benches.c.model)
        found = self._connection.execute(select(benches).where(benches.c.bench_id.in_(last)))
        return {row.model: _bench(row) for row in found}

    def waiting(self, now: float) -> bool:
        """Whether `claim` would find one."""
        return self._exists(_PENDING & leases.free(benches, now))

    def claim(self, owner: str, now: float, term_s: float) -> Bench | None:
        """Lease the one that waits; one whose owner died is taken over."""
        queue = select(benches.c.bench_id).where(_PENDING, leases.free(benches, now))
        row = leases.take(self._connection, queue, owner, now + term_s)
        return None if row is None else _bench(row)

    def renew(self, bench_id: int, owner: str, until: float) -> None:
        """Extend the lease; LeaseLost."""
        leases.change(self._connection, benches.c.bench_id, bench_id, owner, lease_until=until)

    def end(
        self, bench_id: int, owner: str, state: TrialState, now: float, *, reason: str = "",
        answer: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """It came out, or did not; LeaseLost."""
        check_step(TRIAL_STEPS, f"bench {bench_id}", TrialState.PENDING, state)
        told = {"state": state.value, "ended_at": now, "reason": plain(reason), "answer": dict(answer or {})}
        leases.change(self._connection, benches.c.bench_id, bench_id, owner, **told, **leases.NO_LEASE)


def _bench(row: Row[Any]) -> Bench:
    values = {name: getattr(row, name) for name in Bench.__dataclass_fields__}
    return Bench(**values | {"state": TrialState(row.state)})
