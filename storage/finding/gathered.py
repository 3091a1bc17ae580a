"""What belongs to each of several studies: one statement for each kind, however many studies there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import TypeVar

from sqlalchemy import func, select

from storage import tables
from storage.deliveries import delivery_of
from storage.jobs import job_of
from storage.records import Delivery, Job, Study
from storage.sql.store import Store
from storage.studies import Studies

Owned = TypeVar("Owned", Job, Delivery)


class Gathered(Store):
    """Asks about many at once, for lists."""

    def studies(self, uids: Collection[str]) -> dict[str, Study]:
        """Those of these UIDs that are known."""
        query = select(tables.studies).where(tables.studies.c.study_uid.in_(uids))
        return {study.study_instance_uid: study for study in Studies(self._connection).selected(query)}

    def jobs(self, studies: Collection[str]) -> dict[str, list[Job]]:
        """The jobs of each, oldest first."""
        jobs = tables.jobs
        query = select(jobs).where(jobs.c.study_uid.in_(studies)).order_by(jobs.c.created_at, jobs.c.job_id)
        return _by_study(studies, (job_of(row) for row in self._connection.execute(query)))

    def deliveries(self, studies: Collection[str]) -> dict[str, list[Delivery]]:
        """The deliveries of each, oldest first."""
        deliveries = tables.deliveries
        query = select(deliveries).where(deliveries.c.study_uid.in_(studies)).order_by(deliveries.c.delivery_id)
        return _by_study(studies, (delivery_of(row) for row in self._connection.execute(query)))

    def modalities(self, studies: Collection[str]) -> dict[str, dict[str, int]]:
        """How many series of each modality each has."""
        by = (tables.series.c.study_uid, tables.series.c.modality)
        query = select(*by, func.count()).where(tables.series.c.study_uid.in_(studies)).group_by(*by)
        found: dict[str, dict[str, int]] = {uid: {} for uid in studies}
        for uid, modality, number in self._connection.execute(query):
            found[uid][modality] = number
        return found

    def objects(self, jobs: Collection[str]) -> dict[tuple[str, str], int]:
        """How many objects each job made, by job and variant; none is 0."""
        by = (tables.results.c.job_id, tables.results.c.variant)
        query = select(*by, func.count()).where(tables.results.c.job_id.in_(jobs)).group_by(*by)
        made = {(job, variant): number for job, variant, number in self._connection.execute(query)}
        return defaultdict(int, made)


def _by_study(studies: Collection[str], found: Iterable[Owned]) -> dict[str, list[Owned]]:
    by: dict[str, list[Owned]] = {uid: [] for uid in studies}
    for one in found:
        by[one.study_instance_uid].append(one)
    return by
