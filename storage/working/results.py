"""The objects that jobs made. The first that a job commits are its result for ever."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, and_, select, update

from storage.identifiers import check_uid
from storage.records import ResultObject, StoredFile
from storage.sql.store import Store
from storage.tables import jobs, results


class Results(Store):
    """Result objects of one transaction."""

    def add(self, result: ResultObject) -> bool:
        """Keep an object; False where its UID is kept already, and that one stays unless its file was removed."""
        file = {"path": result.file.path, "size": result.file.size, "sha256": result.file.sha256}
        key = {"sop_uid": check_uid(result.sop_instance_uid), "job_id": result.job_id}
        again = and_(*(results.c[name] == value for name, value in key.items()), results.c.removed_at.is_not(None))
        if self._connection.execute(update(results).where(again).values(**file, removed_at=None)).rowcount:
            return True
        facts = {"sop_class_uid": result.sop_class_uid, "series_uid": result.series_instance_uid, "kind": result.kind}
        facts["variant"] = result.variant
        return self._add(results, **key, **facts, **file)

    def of_job(self, job_id: str, variant: str | None = None) -> list[ResultObject]:
        """The job's objects by kind and UID, of every variant or of one."""
        query = select(results).where(results.c.job_id == job_id).order_by(results.c.kind, results.c.sop_uid)
        if variant is not None:
            query = query.where(results.c.variant == variant)
        return [_result(row) for row in self._connection.execute(query)]

    def of_study(self, uid: str) -> list[ResultObject]:
        """The objects of all jobs of a study, the oldest job's first; of each by kind and UID."""
        made = select(results).join(jobs, jobs.c.job_id == results.c.job_id).where(jobs.c.study_uid == uid)
        ordered = made.order_by(jobs.c.created_at, jobs.c.job_id, results.c.kind, results.c.sop_uid)
        return [_result(row) for row in self._connection.execute(ordered)]

    def removed(self, job_id: str) -> bool:
        """Whether retention has removed files of the job's objects."""
        return self._exists((results.c.job_id == job_id) & results.c.removed_at.is_not(None))

    def has(self, sop_uid: str) -> bool:
        """Whether this SOP instance is our own."""
        return self._exists(results.c.sop_uid == sop_uid)

    def find(self, sop_uid: str) -> ResultObject | None:
        row = self._connection.execute(select(results).where(results.c.sop_uid == sop_uid)).one_or_none()
        return None if row is None else _result(row)


def _result(row: Row[Any]) -> ResultObject:
    return ResultObject(
        sop_instance_uid=row.sop_uid,
        sop_class_uid=row.sop_class_uid,
        series_instance_uid=row.series_uid,
        job_id=row.job_id,
        kind=row.kind,
        file=StoredFile(row.path, row.size, row.sha256),
        removed_at=row.removed_at,
        variant=row.variant,
    )
