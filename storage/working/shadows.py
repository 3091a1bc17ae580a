"""How a model's shadow answers on the images of jobs that are done: a queue behind all jobs, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from storage import leases
from storage.lifecycle import TRIAL_STEPS, TrialState, check_step
from storage.sql.store import Store
from storage.sql.tables_models import shadows
from storage.sql.words import at_most
from storage.texts import plain

_PENDING = shadows.c.state == TrialState.PENDING.value


@dataclass(frozen=True)
class Pair:
    """Whose job the shadow looks at: the job and its study, the model that made it, and which one is the shadow."""

    job_id: str
    study_uid: str
    model: str
    version: str
    shadow: str


@dataclass(frozen=True)
class Shadow:
    """One comparison; `answer` holds both sides as plain data, {} where it has not ended well."""

    shadow_id: int
    job_id: str
    study_uid: str
    model: str
    version: str
    shadow: str
    shadow_version: str
    state: TrialState
    attempts: int
    queued_at: float
    ended_at: float | None
    reason: str
    mean_dice: float | None
    answer: Mapping[str, Any]


class Shadows(Store):
    """Comparisons of one transaction."""

    def add(self, pair: Pair, now: float) -> bool:
        """Queue one; False where this shadow has this job already."""
        told = {"shadow_version": "", "state": TrialState.PENDING.value, "attempts": 0, "reason": "", "answer": {}}
        return self._add(shadows, **vars(pair), queued_at=now, **told)

    def waiting(self, now: float) -> bool:
        """Whether `claim` would find one."""
        return self._exists(_PENDING & leases.free(shadows, now))

    def running(self, now: float) -> bool:
        """Whether somebody works at one."""
        return self._exists(_PENDING & leases.alive(shadows, now))

    def claim(self, owner: str, now: float, term_s: float) -> Shadow | None:
        """Lease the one that waits longest, and count the attempt."""
        queue = select(shadows.c.shadow_id).where(_PENDING, leases.free(shadows, now))
        queue = queue.order_by(shadows.c.queued_at, shadows.c.shadow_id)
        row = leases.take(self._connection, queue, owner, now + term_s, attempts=shadows.c.attempts + 1)
        return None if row is None else _shadow(row)

    def renew(self, shadow_id: int, owner: str, until: float) -> None:
        """Extend the lease; LeaseLost."""
        leases.change(self._connection, shadows.c.shadow_id, shadow_id, owner, lease_until=until)

    def give_back(self, shadow_id: int, owner: str) -> None:
        """It made way for a job: it waits again, and that was no attempt. LeaseLost."""
        back = {"attempts": shadows.c.attempts - 1, **leases.NO_LEASE}
        leases.change(self._connection, shadows.c.shadow_id, shadow_id, owner, **back)

    def done(
        self, shadow_id: int, owner: str, now: float, *, version: str, mean_dice: float | None,
        answer: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Keep how it answered; LeaseLost."""
        told = {"shadow_version": version, "mean_dice": mean_dice, "answer": dict(answer)}
        self._end(shadow_id, owner, TrialState.DONE, now, **told)

    def failed(self, shadow_id: int, owner: str, now: float, reason: str, version: str = "") -> None:
        """Keep why it did not; LeaseLost."""
        self._end(shadow_id, owner, TrialState.FAILED, now, reason=plain(reason), shadow_version=version)

    def of_model(self, model: str, limit: int) -> list[Shadow]:
        """Those of a model's jobs, the newest first."""
        query = select(shadows).where(shadows.c.model == model).order_by(shadows.c.shadow_id.desc())
        return [_shadow(row) for row in self._connection.execute(query.limit(at_most(limit)))]

    def _end(self, shadow_id: int, owner: str, state: TrialState, now: float, **told: Any) -> None:
        check_step(TRIAL_STEPS, f"shadow {shadow_id}", TrialState.PENDING, state)
        ended = {"state": state.value, "ended_at": now, **told, **leases.NO_LEASE}
        leases.change(self._connection, shadows.c.shadow_id, shadow_id, owner, **ended)


def _shadow(row: Row[Any]) -> Shadow:
    values = {name: getattr(row, name) for name in Shadow.__dataclass_fields__}
    return Shadow(**values | {"state": TrialState(row.state)})
