"""What rejection notes say: of others' instances, and of our own results at the places that hold them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, exists, select, union

from storage import tables
from storage.identifiers import check_uid
from storage.lifecycle import DeliveryState, JobState
from storage.sql.store import Store
from storage.sql.tables_leaving import parts
from storage.sql.words import EMPTY, at_most

rejections, deliveries, jobs, results = tables.rejections, tables.deliveries, tables.jobs, tables.results

RETENTION_EXPIRED = "113039"  # the title (CID 7010) of a note that says nothing against what it names

_LEFT = (DeliveryState.SENT.value, DeliveryState.COMMITTED.value)
_HOLDER = case((deliveries.c.via == EMPTY, deliveries.c.destination), else_=deliveries.c.via)  # as Delivery.holder


@dataclass(frozen=True)
class Rejection:
    """One instance that a rejection note names; `title` is the note's code (IHE RAD TF-3 4.66).

    `at`: when the note came, in seconds since 1970.
    """

    sop_instance_uid: str
    note_uid: str
    study_instance_uid: str
    title: str
    at: float


class Rejections(Store):
    """Rejections of one transaction."""

    def add(self, rejected: Iterable[Rejection]) -> int:
        """Note what a note rejects, arrived or not; gives how many were new."""
        return sum(
            self._add(
                rejections,
                sop_uid=check_uid(one.sop_instance_uid),
                note_uid=one.note_uid,
                study_uid=check_uid(one.study_instance_uid),
                title=one.title,
                at=one.at,
            )
            for one in rejected
        )

    def of_study(self, study_uid: str) -> list[Rejection]:
        """What was rejected of a study, oldest first."""
        query = select(rejections).where(rejections.c.study_uid == study_uid)
        rows = self._connection.execute(query.order_by(rejections.c.at, rejections.c.sop_uid))
        return [Rejection(row.sop_uid, row.note_uid, row.study_uid, row.title, row.at) for row in rows]

    def owed(
        self, destinations: Collection[str], limit: int = 20, *, but: Collection[str] = ()
    ) -> dict[str, list[str]]:
        """By superseded job, those of `destinations` that hold its results and got no note of ours on them yet.

        Where one stood in for another, that is who took them; where a delivery did not end whole, who took a part, as
        soon as no more of it is on the way. None of the studies in `but`, and nobody whose delivery was of no object.
        """
        note = jobs.alias()
        of_this = (note.c.rejects == jobs.c.job_id) & (note.c.rejects != EMPTY)  # as the index of notes says it
        impossible = exists(select(1).where(of_this, note.c.state == JobState.SUPERSEDED.value)).correlate(jobs)

        def without_note(holder: ColumnElement[str]) -> list[ColumnElement[bool]]:
            told = deliveries.alias()
            noted = select(1).select_from(told.join(note, told.c.job_id == note.c.job_id))
            noted = noted.where(of_this, told.c.destination == holder).correlate(jobs, deliveries, parts)
            superseded = [jobs.c.state == JobState.SUPERSEDED.value, jobs.c.rejects == EMPTY, ~impossible]
            fine = [jobs.c.study_uid.not_in(but)] if but else []
            return [*superseded, *fine, holder.in_(sorted(destinations)), ~exists(noted)]

        of_delivery = (results.c.job_id == jobs.c.job_id) & (results.c.variant == deliveries.c.variant)
        got = select(1).where(of_delivery)
        whole = (
            select(jobs.c.job_id, _HOLDER.label("holder"))
            .select_from(jobs.join(deliveries, deliveries.c.job_id == jobs.c.job_id))
            .where(*without_note(_HOLDER), deliveries.c.state.in_(_LEFT), exists(got).correlate(jobs, deliveries))
        )
        of_job = (deliveries.c.job_id == jobs.c.job_id, deliveries.c.state == DeliveryState.PENDING.value)
        leaving = select(1).where(*of_job, parts.c.destination == _HOLDER)
        half = (
            select(jobs.c.job_id, parts.c.destination.label("holder"))
            .select_from(jobs.join(parts, parts.c.job_id == jobs.c.job_id))
            .where(*without_note(parts.c.destination), ~exists(leaving).correlate(jobs, parts))
        )
        query = union(whole, half).limit(at_most(limit))
        owed: dict[str, list[str]] = {}
        # Sorted here: there it would be done by way of all jobs, the few superseded ones among them.
        for job_id, holder in sorted({(row.job_id, row.holder) for row in self._connection.execute(query)}):
            owed.setdefault(job_id, []).append(holder)
        return owed
