"""What is to be told outside, by mail or to a webhook: each once, and again until it was heard or is given up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, update

from storage import leases
from storage.lifecycle import NOTICE_STEPS, NoticeState, check_step
from storage.sql.store import Store
from storage.sql.tables_alerts import notices, watches
from storage.texts import plain

_PENDING = notices.c.state == NoticeState.PENDING.value


@dataclass(frozen=True)
class Notice:
    """One notice for one channel; `attempts` counts claims."""

    notice_id: int
    channel: str
    payload: dict[str, Any] = field(repr=False)
    attempts: int
    created_at: float

    @property
    def name(self) -> str:
        """What no other notice is ever called; SQLite gives an id again once those behind it were forgotten."""
        return f"{self.notice_id}-{int(self.created_at)}"


class Notices(Store):
    """Notices of one transaction."""

    def add(self, channel: str, key: str, payload: Mapping[str, Any], now: float) -> bool:
        """Queue a notice; False where the channel was told of this `key` before."""
        return self._add(
            notices,
            channel=channel,
            key=key,
            payload=dict(payload),
            state=NoticeState.PENDING.value,
            attempts=0,
            next_attempt_at=now,
            created_at=now,
            ended_at=None,
            reason="",
        )

    def due(self, now: float, without: Collection[str] = ()) -> bool:
        """Whether `claim` would find one."""
        return self._exists(_due(now, without))

    def claim(self, owner: str, now: float, term_s: float, without: Collection[str] = ()) -> Notice | None:
        """Lease the notice that has been due longest and count the attempt; channels `without` are left alone."""
        queue = (
            select(notices.c.notice_id)
            .where(_due(now, without))
            .order_by(notices.c.next_attempt_at, notices.c.notice_id)
        )
        row = leases.take(self._connection, queue, owner, now + term_s, attempts=notices.c.attempts + 1)
        return None if row is None else Notice(row.notice_id, row.channel, row.payload, row.attempts, row.created_at)

    def postpone(self, notice_id: int, owner: str, next_attempt_at: float, reason: str) -> None:
        """Tell it again then; LeaseLost."""
        self._change(notice_id, owner, next_attempt_at=next_attempt_at, reason=plain(reason))

    def end(self, notice_id: int, owner: str, state: NoticeState, now: float, reason: str = "") -> None:
        """It was heard, or is given up; LeaseLost."""
        check_step(NOTICE_STEPS, f"notice {notice_id}", NoticeState.PENDING, state)
        self._change(notice_id, owner, state=state.value, ended_at=now, reason=plain(reason))

    def counts(self) -> dict[tuple[str, NoticeState], int]:
        """How many there are of each channel in each state."""
        by = (notices.c.channel, notices.c.state)
        found = self._connection.execute(select(*by, func.count()).group_by(*by))
        return {(channel, NoticeState(state)): number for channel, state, number in found}

    def forget(self, before: float) -> int:
        """Drop what ended before then; gives the number."""
        return self._connection.execute(delete(notices).where(~_PENDING, notices.c.ended_at < before)).rowcount

    def watched(self, name: str) -> float | None:
        """Up to when somebody of this name has looked; None: never."""
        return self._connection.execute(select(watches.c.until).where(watches.c.name == name)).scalar_one_or_none()

    def watch(self, name: str, until: float) -> None:
        """Remember that."""
        if not self._add(watches, name=name, until=until):
            self._connection.execute(update(watches).where(watches.c.name == name).values(until=until))

    def unwatch(self, name: str) -> None:
        """Forget that."""
        self._connection.execute(delete(watches).where(watches.c.name == name))

    def _change(self, notice_id: int, owner: str, **values: Any) -> None:
        leases.change(self._connection, notices.c.notice_id, notice_id, owner, **values, **leases.NO_LEASE)


def _due(now: float, without: Collection[str]) -> ColumnElement[bool]:
    due = _PENDING & (notices.c.next_attempt_at <= now) & leases.free(notices, now)
    return due & notices.c.channel.not_in(without) if without else due
