"""Earlier results of a study's patient, asked of an archive before the study is dispatched; one recall a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, select, update

from storage import leases
from storage.identifiers import check_uid
from storage.lifecycle import RECALL_STEPS, RecallState, check_step
from storage.sql.store import Store
from storage.tables import recalls, studies
from storage.texts import plain


@dataclass(frozen=True)
class Prior:
    """One earlier segmentation of ours and the images that it was made of; all of it is here.

    `study`, `seg` (SOP instance), `series` (of the images) and `instances` (in slice order) are UIDs. `taken` is the
    study's date and `made` when the segmentation was made, as DICOM writes them: YYYYMMDD, YYYYMMDDHHMMSS.
    """

    study: str
    seg: str
    series: str
    instances: tuple[str, ...]
    task: str
    taken: str
    made: str = ""


@dataclass(frozen=True)
class Recall:
    """One study's recall. Dispatch waits for it until `deadline`; `found` grows while it runs, the newest first."""

    study_instance_uid: str
    peer: str
    state: RecallState
    policy: dict[str, Any]
    created_at: float
    deadline: float
    next_attempt_at: float
    attempts: int = 0
    ended_at: float | None = None
    reason: str = ""
    found: tuple[Prior, ...] = field(default=())
    lease_owner: str | None = None
    lease_until: float | None = None

    @property
    def patience_s(self) -> float:
        """How long dispatch waits for it at most."""
        return self.deadline - self.created_at


class Recalls(Store):
    """Recalls of one transaction."""

    def want(self, study_uid: str, peer: str, policy: dict[str, Any], now: float, deadline: float) -> None:
        """Ask `peer`, unless that was done: an archive that fails later takes nothing back that it told before.

        One that was given up begins anew. `policy` is the caller's and kept as it is.
        """
        fresh: dict[str, Any] = {
            "peer": plain(peer),
            "state": RecallState.PENDING.value,
            "policy": dict(policy),
            "created_at": now,
            "deadline": deadline,
            "next_attempt_at": now,
            "attempts": 0,
            "ended_at": None,
            "reason": "",
            **leases.NO_LEASE,
        }
        uid = check_uid(study_uid)
        if not self._add(recalls, study_uid=uid, found=[], **fresh):
            given_up = and_(recalls.c.study_uid == uid, recalls.c.state == RecallState.GIVEN_UP.value)
            self._connection.execute(update(recalls).where(given_up).values(**fresh))

    def find(self, study_uid: str) -> Recall | None:
        row = self._connection.execute(select(recalls).where(recalls.c.study_uid == study_uid)).one_or_none()
        return None if row is None else _recall(row)

    def counts(self) -> dict[RecallState, int]:
        """How many recalls are in each state; a state without one is left out."""
        return self._counts(recalls.c.state, RecallState)

    def due(self, now: float) -> bool:
        """Whether `claim` would find one."""
        return self._exists(_due(now))

    def claim(self, owner: str, now: float, term_s: float) -> Recall | None:
        """Lease the recall that has been due longest, and count the attempt; also past its deadline, to be ended."""
        queue = select(recalls.c.study_uid).where(_due(now)).order_by(recalls.c.next_attempt_at, recalls.c.study_uid)
        row = leases.take(self._connection, queue, owner, now + term_s, attempts=recalls.c.attempts + 1)
        return None if row is None else _recall(row)

    def renew(self, study_uid: str, owner: str, now: float, term_s: float) -> None:
        """Extend the lease of one that takes long; LeaseLost."""
        self._change(study_uid, owner, lease_until=now + term_s)

    def tell(self, study_uid: str, owner: str, found: Sequence[Prior]) -> None:
        """What has been found so far: it counts when the deadline comes before the end. LeaseLost."""
        self._change(study_uid, owner, found=_plain(found))

    def postpone(self, study_uid: str, owner: str, next_attempt_at: float, reason: str) -> None:
        """Ask again at `next_attempt_at`; LeaseLost."""
        self._change(study_uid, owner, next_attempt_at=next_attempt_at, reason=plain(reason), **leases.NO_LEASE)

    def end(
        self, study_uid: str, owner: str, state: RecallState, now: float, reason: str, found: Sequence[Prior]
    ) -> None:
        """End the recall that `owner` holds; dispatch waits for it no more. LeaseLost."""
        check_step(RECALL_STEPS, f"recall of study {study_uid}", RecallState.PENDING, state)
        told = {"state": state.value, "ended_at": now, "reason": plain(reason), "found": _plain(found)}
        self._change(study_uid, owner, **told, **leases.NO_LEASE)

    def _change(self, study_uid: str, owner: str, **values: Any) -> None:
        leases.change(self._connection, recalls.c.study_uid, study_uid, owner, **values)


def waits(now: float) -> ColumnElement[bool]:
    """Whether a row of `studies` waits for its recall, and the deadline is not over."""
    pending = and_(recalls.c.state == RecallState.PENDING.value, recalls.c.deadline > now)
    return exists(select(1).where(recalls.c.study_uid == studies.c.study_uid, pending).correlate(studies))


def _due(now: float) -> ColumnElement[bool]:
    pending = recalls.c.state == RecallState.PENDING.value
    return and_(pending, recalls.c.next_attempt_at <= now, leases.free(recalls, now))


def _plain(found: Sequence[Prior]) -> list[dict[str, Any]]:
    return [asdict(prior) | {"instances": list(prior.instances)} for prior in found]


def _recall(row: Row[Any]) -> Recall:
    values = dict(row._mapping)
    found = tuple(Prior(**prior | {"instances": tuple(prior["instances"])}) for prior in values.pop("found"))
    return Recall(
        study_instance_uid=values.pop("study_uid"), state=RecallState(values.pop("state")), found=found, **values
    )
