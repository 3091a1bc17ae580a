"""What is asked of peers: the images that a study lacks, and the studies that a person wants."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, exists, func, select, update

from storage import leases
from storage.identifiers import check_uid
from storage.lifecycle import FETCH_STEPS, FetchState, JobState, StudyState, check_step
from storage.records import Fetch, FetchPurpose, Tally, Wanted
from storage.sql.store import Store, among
from storage.sql.words import at_most
from storage.tables import fetches, jobs, studies
from storage.texts import plain

BROKEN_OFF = "whoever asked last ended over it"

Fetches_ = list[Fetch]  # inside the class `list` is a method

_PENDING = fetches.c.state == FetchState.PENDING.value
_PROCESS = fetches.c.purpose == FetchPurpose.PROCESS.value
_BEGUN = fetches.c.attempts > 0
_STILL_SENT = exists(
    select(1).where(studies.c.study_uid == fetches.c.study_uid, studies.c.state == StudyState.RECEIVING.value)
).correlate(fetches)


class Fetches(Store):
    """Fetches of one transaction, one a study. A study in FETCHING has a PENDING one, and waits for its end."""

    def want(self, wanted: Wanted, now: float, *, over: Collection[FetchState]) -> bool:
        """Queue a fetch, or begin the study's old one anew where that is in one of the states `over`.

        False where nothing was queued: the old one is in another state, or a worker is at its row this moment.
        """
        fresh: dict[str, Any] = {
            "peer": plain(wanted.peer),
            "purpose": wanted.purpose.value,
            "state": FetchState.PENDING.value,
            "policy": dict(wanted.policy),
            "patience_s": wanted.patience_s,
            "created_at": now,
            "next_attempt_at": wanted.not_before,
            "attempts": 0,
            "deadline": None,
            "ended_at": None,
            **_tally_values(Tally()),
            "reason": "",
            **leases.NO_LEASE,
        }
        uid = check_uid(wanted.study_instance_uid)
        if self._add(fetches, study_uid=uid, **fresh):
            return True
        # Who ends a fetch takes its row first and the study's then; waiting here with the study's would be a deadlock.
        old = select(fetches.c.study_uid).where(fetches.c.study_uid == uid, among(fetches.c.state, over))
        free = old.with_for_update(skip_locked=True)
        anew = update(fetches).where(fetches.c.study_uid.in_(free)).values(**fresh)
        return self._connection.execute(anew).rowcount == 1

    def mark_prior(self, study_uid: str, peer: str, now: float) -> None:
        """What `peer` sends of this study when we ask is a prior of another study; a fetch that runs goes on as it is.

        The row is DONE from the start: nobody waits for its end, and who wants the study itself begins it anew.
        """
        values: dict[str, Any] = {
            "peer": plain(peer),
            "purpose": FetchPurpose.PRIOR.value,
            "state": FetchState.DONE.value,
            "policy": {},
            "patience_s": 0.0,
            "created_at": now,
            "next_attempt_at": now,
            "attempts": 0,
            "deadline": None,
            "ended_at": now,
            **_tally_values(Tally()),
            "reason": "as a prior of another study",
            **leases.NO_LEASE,
        }
        new = self._insert(fetches).values(study_uid=check_uid(study_uid), **values)
        self._connection.execute(
            new.on_conflict_do_update(index_elements=[fetches.c.study_uid], set_=values, where=~_PENDING)
        )

    def find(self, study_uid: str) -> Fetch | None:
        row = self._connection.execute(select(fetches).where(fetches.c.study_uid == study_uid)).one_or_none()
        return None if row is None else _fetch(row)

    def list(self, states: Collection[FetchState], purpose: FetchPurpose, limit: int = 100) -> Fetches_:
        """Those that are due first."""
        query = select(fetches).where(among(fetches.c.state, states), fetches.c.purpose == purpose.value)
        soonest = query.order_by(fetches.c.next_attempt_at).limit(at_most(limit))
        return [_fetch(row) for row in self._connection.execute(soonest)]

    def counts(self, most: int | None = None) -> dict[FetchState, int]:
        """How many fetches are in each state; a state without one is left out, none counted further than `most`."""
        return self._counts(fetches.c.state, FetchState, most)

    def last_begin(self, purpose: FetchPurpose) -> float | None:
        """When the last of the waiting fetches is due; None where none waits."""
        query = select(func.max(fetches.c.next_attempt_at)).where(_PENDING, fetches.c.purpose == purpose.value)
        return self._connection.execute(query).scalar_one()

    def in_flight(self) -> int:
        """How many studies that a person wanted are on their way: being fetched, or not yet through inference."""
        wanted = fetches.c.study_uid
        fetching = select(func.count()).select_from(fetches).where(_PENDING, _PROCESS, _BEGUN)
        settled = (
            select(func.count())
            .select_from(studies.join(fetches, wanted == studies.c.study_uid))
            .where(studies.c.state == StudyState.COMPLETE.value, _PROCESS, ~_PENDING)
        )
        running = (
            select(func.count(jobs.c.study_uid.distinct()))
            .select_from(jobs.join(fetches, wanted == jobs.c.study_uid))
            .where(jobs.c.state == JobState.PENDING.value, _PROCESS, ~_PENDING)
        )
        return sum(int(self._connection.execute(count).scalar_one()) for count in (fetching, settled, running))

    def due(self, now: float, purpose: FetchPurpose, *, begun_only: bool = False) -> bool:
        """Whether `claim` would find a fetch."""
        return self._exists(_due(now, purpose, begun_only))

    def claim(
        self, owner: str, now: float, term_s: float, purpose: FetchPurpose, *, begun_only: bool = False
    ) -> Fetch | None:
        """Lease the fetch that has been due longest, and count the attempt; not while its study is RECEIVING.

        With `begun_only` none is begun that was not tried before. Its reason is `BROKEN_OFF` where its last owner had
        begun after the deadline and did not end it: to ask once more would go on for ever.
        """
        queue = (
            select(fetches.c.study_uid)
            .where(_due(now, purpose, begun_only))
            .order_by(fetches.c.next_attempt_at, fetches.c.study_uid)
        )
        broken_off = leases.held(fetches) & (fetches.c.lease_until >= fetches.c.deadline + term_s)
        attempt = {
            "attempts": fetches.c.attempts + 1,
            "deadline": func.coalesce(fetches.c.deadline, now + fetches.c.patience_s),
            "reason": case((broken_off, BROKEN_OFF), else_=fetches.c.reason),
        }
        row = leases.take(self._connection, queue, owner, now + term_s, **attempt)
        return None if row is None else _fetch(row)

    def renew(self, study_uid: str, owner: str, now: float, term_s: float, fetched: int | None = None) -> None:
        """Extend the lease of a fetch that takes long, and tell how many images have come; LeaseLost."""
        told = {} if fetched is None else {"fetched": fetched}
        leases.change(self._connection, fetches.c.study_uid, study_uid, owner, lease_until=now + term_s, **told)

    def postpone(self, study_uid: str, owner: str, next_attempt_at: float, reason: str, tally: Tally) -> None:
        """Ask again at `next_attempt_at`; LeaseLost."""
        self._change(study_uid, owner, reason, tally, next_attempt_at=next_attempt_at)

    def end(
        self, study_uid: str, owner: str, state: FetchState, now: float, reason: str = "", tally: Tally | None = None
    ) -> None:
        """End the fetch that `owner` holds; from here on its study waits for it no more. LeaseLost."""
        check_step(FETCH_STEPS, f"fetch of study {study_uid}", FetchState.PENDING, state)
        self._change(study_uid, owner, reason, tally or Tally(), state=state.value, ended_at=now)

    def _change(self, study_uid: str, owner: str, reason: str, tally: Tally, **values: Any) -> None:
        told = {"reason": plain(reason), **_tally_values(tally)}
        leases.change(self._connection, fetches.c.study_uid, study_uid, owner, **told, **values, **leases.NO_LEASE)


def _due(now: float, purpose: FetchPurpose, begun_only: bool) -> ColumnElement[bool]:
    conditions = [
        _PENDING,
        fetches.c.purpose == purpose.value,
        fetches.c.next_attempt_at <= now,
        leases.free(fetches, now),
        ~_STILL_SENT,
    ]
    return and_(*conditions, _BEGUN) if begun_only else and_(*conditions)


def _tally_values(tally: Tally) -> dict[str, Any]:
    return {"expected": tally.expected, "missing": tally.missing, "fetched": tally.fetched}


def _fetch(row: Row[Any]) -> Fetch:
    values = dict(row._mapping)
    return Fetch(
        study_instance_uid=values.pop("study_uid"),
        purpose=FetchPurpose(values.pop("purpose")),
        state=FetchState(values.pop("state")),
        tally=Tally(values.pop("expected"), values.pop("missing"), values.pop("fetched")),
        **values,
    )
