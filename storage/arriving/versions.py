"""The contents that came under one SOP Instance UID, and what has not been read of them yet.

Of several contents one is current. A second one stands beside it as a conflict until it has been judged:
a correction takes the place of the current one, anything else stays a conflict.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from storage import tables
from storage.arriving.headers import corrected, header_columns
from storage.errors import NotFound
from storage.records import Instance, InstanceKind
from storage.sql.store import Store
from storage.sql.tables_arriving import prior_waits
from storage.sql.words import at_most
from storage.studies import instance_of
from storage.texts import plain

instances = tables.instances


class Versions(Store):
    """Contents of instances, seen from one transaction."""

    def any_unread(self, kind: InstanceKind) -> bool:
        """Whether `unread` would find something."""
        return self._exists(_unread(kind))

    def unread(self, kind: InstanceKind, limit: int = 100, *, but: Collection[str] = ()) -> list[Instance]:
        """Second contents of images, notes, segmentations or reports, that nobody has read; the first to come first.

        None of the studies and instances in `but`.
        """
        query = select(instances).where(_unread(kind)).order_by(instances.c.received_at, instances.c.sop_uid)
        if but:
            query = query.where(instances.c.study_uid.not_in(but), instances.c.sop_uid.not_in(but))
        return [instance_of(row) for row in self._connection.execute(query.limit(at_most(limit)))]

    def current(self, sop_uid: str) -> Instance:
        """The content that counts; NotFound."""
        if (found := self.find(sop_uid)) is None:
            raise NotFound(f"no instance {sop_uid}")
        return found

    def find(self, sop_uid: str) -> Instance | None:
        """The content that counts; None where none does, since retention has removed it."""
        query = select(instances).where(instances.c.sop_uid == sop_uid, instances.c.conflict.is_(False))
        if self._writing:
            query = query.with_for_update(key_share=True)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else instance_of(row)

    def mark_read(self, instance: Instance) -> bool:
        """Note that this content has been read; False where another had done so."""
        done = update(instances).where(_this(instance), instances.c.unread).values(unread=False)
        return self._connection.execute(done).rowcount == 1

    def correct(self, old: Instance, new: Instance, study_header: Mapping[str, Any], *, copied: bool) -> None:
        """Let `new` take the place of `old`, and its header rule for instance, series and study.

        `copied`: it changed what results copy. Then the correction is known by its content, which never comes
        again; other corrections leave that name as it was.
        """
        name = new.file.sha256 if copied else old.correction
        self._connection.execute(update(instances).where(_this(old)).values(conflict=True, replaced=True))
        self._connection.execute(
            update(instances).where(_this(new)).values(conflict=False, unread=False, correction=name)
        )
        series = update(tables.series).where(
            tables.series.c.study_uid == new.study_instance_uid, tables.series.c.series_uid == new.series_instance_uid
        )
        modality = plain(str(new.header.get("Modality", "")))
        self._connection.execute(series.values(header=new.header, modality=modality))
        this = tables.studies.c.study_uid == new.study_instance_uid
        header = corrected(self._locked(tables.studies.c.header, this), study_header)
        self._connection.execute(update(tables.studies).where(this).values(**header_columns(header)))
        if copied:  # who the patient is may have changed: an archive is asked anew for earlier results
            for asked in (tables.recalls, prior_waits):
                self._connection.execute(delete(asked).where(asked.c.study_uid == new.study_instance_uid))

    def counts(self, study_uid: str) -> tuple[int, int]:
        """How many contents of a study were replaced by a correction, and how many conflict."""
        query = (
            select(instances.c.replaced, func.count())
            .where(instances.c.study_uid == study_uid, instances.c.conflict)
            .group_by(instances.c.replaced)
        )
        found = {bool(replaced): number for replaced, number in self._connection.execute(query)}
        return found.get(True, 0), found.get(False, 0)


def _unread(kind: InstanceKind) -> ColumnElement[bool]:
    return and_(instances.c.unread, instances.c.kind == kind.value)


def _this(instance: Instance) -> ColumnElement[bool]:
    return and_(instances.c.sop_uid == instance.sop_instance_uid, instances.c.sha256 == instance.file.sha256)
