"""Storage commitments that peers ask of us (PS3.4 J), as the service's provider, and what they bind us to keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, case, delete, func, select, update

from storage import leases
from storage.identifiers import check_uid
from storage.leaving.commitments import references_of, report_of
from storage.lifecycle import PROMISE_STEPS, CommitmentState, PromiseState, check_step
from storage.records import CommitmentReport, Promise, Reference
from storage.sql.store import Store, among
from storage.sql.words import at_most
from storage.tables import commitments, promised, promises
from storage.texts import plain

SOME = 100  # that are dropped in one transaction

_PENDING = promises.c.state == PromiseState.PENDING.value


class Promises(Store):
    """Peers' requests, of one transaction of the database."""

    def add(
        self, peer_aet: str, called_aet: str, transaction_uid: str, instances: Sequence[Reference], now: float
    ) -> bool:
        """Keep a peer's request; False where it used this Transaction UID before, for other instances.

        The same request again is the same one: while it is open nothing changes, after that it is answered anew.
        """
        pairs = [[item.sop_class_uid, item.sop_instance_uid] for item in instances]
        for item in instances:
            check_uid(item.sop_instance_uid)
        fresh = {"state": PromiseState.PENDING.value, "attempts": 0, "next_attempt_at": now, "received_at": now}
        if self._add(
            promises,
            peer_aet=plain(peer_aet),
            called_aet=plain(called_aet),
            transaction_uid=check_uid(transaction_uid),
            instances=pairs,
            report=None,
            reason="",
            **fresh,
        ):
            return True
        same = (promises.c.peer_aet == plain(peer_aet)) & (promises.c.transaction_uid == transaction_uid)
        known = self._connection.execute(select(promises.c.instances).where(same)).scalar_one()
        again = update(promises).where(same, ~_PENDING).values(report=None, reason="", **fresh)
        if known == pairs:
            self._connection.execute(again)
        return bool(known == pairs)

    def find(self, peer_aet: str, transaction_uid: str) -> Promise | None:
        same = (promises.c.peer_aet == peer_aet) & (promises.c.transaction_uid == transaction_uid)
        row = self._connection.execute(select(promises).where(same)).one_or_none()
        return None if row is None else _promise(row)

    def open_of(self, peer_aet: str) -> int:
        """How many requests of this peer are not answered yet."""
        count = select(func.count()).where(promises.c.peer_aet == peer_aet, _PENDING)
        return int(self._connection.execute(count).scalar_one())

    def due(self, now: float) -> bool:
        """Whether `claim` would find one."""
        return self._exists(_PENDING & (promises.c.next_attempt_at <= now) & leases.free(promises, now))

    def claim(self, owner: str, now: float, term_s: float) -> Promise | None:
        """Lease the one that has been due longest, and count the attempt."""
        queue = (
            select(promises.c.promise_id)
            .where(_PENDING, promises.c.next_attempt_at <= now, leases.free(promises, now))
            .order_by(promises.c.next_attempt_at, promises.c.promise_id)
        )
        row = leases.take(self._connection, queue, owner, now + term_s, attempts=promises.c.attempts + 1)
        return None if row is None else _promise(row)

    def postpone(self, promise_id: int, owner: str, next_attempt_at: float, reason: str = "") -> None:
        """Look at it again then. LeaseLost."""
        self._change(promise_id, owner, next_attempt_at=next_attempt_at, reason=plain(reason))

    def decide(self, promise_id: int, report: CommitmentReport, now: float) -> None:
        """Keep the answer, which the peer is to be told from now on."""
        told = {"committed": list(report.committed), "failed": report.failed}
        this = update(promises).where(promises.c.promise_id == promise_id, _PENDING, promises.c.report.is_(None))
        self._connection.execute(this.values(report=told, attempts=0, next_attempt_at=now, **leases.NO_LEASE))

    def end(self, promise_id: int, owner: str, state: PromiseState, reason: str = "") -> None:
        """Close the request; LeaseLost."""
        check_step(PROMISE_STEPS, f"promise {promise_id}", PromiseState.PENDING, state)
        self._change(promise_id, owner, state=state.value, reason=plain(reason))

    def keep(self, studies: Mapping[str, str], until: float) -> None:
        """Bind us to keep these instances, given by SOP instance UID with their study's UID; never for shorter."""
        if not studies:
            return
        new = self._insert(promised)
        longer = case(
            (promised.c.keep_until > new.excluded.keep_until, promised.c.keep_until), else_=new.excluded.keep_until
        )
        changed = {"study_uid": new.excluded.study_uid, "keep_until": longer}
        upsert = new.on_conflict_do_update(index_elements=[promised.c.sop_uid], set_=changed)
        rows = [{"sop_uid": uid, "study_uid": study, "keep_until": until} for uid, study in studies.items()]
        self._connection.execute(upsert, rows)

    def barred_until(self, study_uid: str) -> float:
        """Until when nothing of the study may be deleted: 0 at any time, infinity while a commitment of ours is open.

        Retention asks while it holds the study's row (`studies.get` in its own transaction), as `keep` is called.
        """
        return self.bars([study_uid]).get(study_uid, 0.0)

    def bars(self, study_uids: Sequence[str]) -> dict[str, float]:
        """The same of several studies; one that may be deleted at any time is left out."""
        latest = select(promised.c.study_uid, func.max(promised.c.keep_until))
        of_ours = latest.where(promised.c.study_uid.in_(study_uids)).group_by(promised.c.study_uid)
        found = {uid: float(until) for uid, until in self._connection.execute(of_ours) if until}
        pending = commitments.c.state == CommitmentState.PENDING.value
        open_ = select(commitments.c.study_uid).where(pending, commitments.c.study_uid.in_(study_uids))
        return found | dict.fromkeys(self._connection.execute(open_).scalars(), math.inf)

    def forget(self, study_uid: str) -> None:
        """Drop what was promised of a study that is deleted."""
        self._connection.execute(promised.delete().where(promised.c.study_uid == study_uid))

    def forget_ended(self, before: float) -> int:
        """Drop what was last due before then, and has been answered or given up; gives the number.

        With it goes what an archive was asked on its behalf. What we are bound to keep stays.
        """
        ended = among(promises.c.state, (PromiseState.TOLD, PromiseState.GIVEN_UP))
        old = select(promises.c.promise_id).where(ended, promises.c.next_attempt_at < before).limit(at_most(SOME))
        numbers = list(self._connection.execute(old.with_for_update(skip_locked=True)).scalars())
        if numbers:
            self._connection.execute(delete(commitments).where(commitments.c.promise_id.in_(numbers)))
            self._connection.execute(delete(promises).where(promises.c.promise_id.in_(numbers)))
        return len(numbers)

    def reap(self, now: float) -> int:
        """Give back those whose lease ran out; gives the number."""
        dead = update(promises).where(_PENDING, leases.lapsed(promises, now))
        return self._connection.execute(dead.values(**leases.NO_LEASE)).rowcount

    def _change(self, promise_id: int, owner: str, **values: Any) -> None:
        leases.change(self._connection, promises.c.promise_id, promise_id, owner, **values, **leases.NO_LEASE)


def _promise(row: Row[Any]) -> Promise:
    values = dict(row._mapping)
    return Promise(
        state=PromiseState(values.pop("state")),
        instances=references_of(values.pop("instances")),
        report=report_of(values.pop("report")),
        **values,
    )
