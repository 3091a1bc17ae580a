"""The index of what arrived: studies, their series, their instances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Row, Select, and_, case, exists, or_, select, update

from storage import tables
from storage.archive import folder_name
from storage.arriving import arrivals, prior_waits, recalls
from storage.arriving.headers import header_columns
from storage.errors import NotFound
from storage.identifiers import check_uid
from storage.lifecycle import STUDY_STEPS, FetchState, StudyState, check_step
from storage.records import REVIEWS, Arrival, FetchPurpose, Instance, InstanceKind, Series, StoredFile, Study
from storage.sql.store import Store, among
from storage.sql.words import at_most
from storage.texts import plain

studies, instances, senders = tables.studies, tables.instances, tables.senders
associations, fetches = tables.associations, tables.fetches

READ_ONCE = (InstanceKind.NOTE, *REVIEWS)  # what is looked into when it arrives…
READ_AGAIN = (InstanceKind.IMAGE,)  # …and when it comes with another content

TURNED = 10  # quiet times, after which nothing more is awaited of a sender that has turned to other studies
IN_ONE_QUERY = 500  # databases bound how many values one statement may carry

Studies_ = list[Study]  # inside the class `list` is a method


class Studies(Store):
    """Studies, series and instances of one transaction."""

    def add_instance(self, instance: Instance, study_header: Mapping[str, Any] | None = None) -> Arrival:
        """Index an instance whose file is durable; a new image opens its study again.

        One that a fetch of the study waits for joins it: the study is FETCHING until that fetch has ended. A study
        that comes as another's prior is NOT_ROUTED from its first instance on; one that is here stays as it is.

        `study_header` is kept where the study is new. Whether the instance's row could be inserted decides
        what it is, so that the same object arriving twice at once is counted once.
        """
        for uid in (instance.sop_instance_uid, instance.series_instance_uid, instance.study_instance_uid):
            check_uid(uid)
        if arrivals.is_result(self._connection, {"sop_uid": instance.sop_instance_uid}).fetchone() is not None:
            instance = replace(instance, kind=InstanceKind.RESULT)
        values = _instance_values(instance, conflict=False)
        is_new = arrivals.add_instance(self._connection, values).rowcount == 1
        if is_new or arrivals.comes_to_count(self._connection, values):
            self._count(instance, study_header or {})
            return Arrival.NEW
        return self._add_again(instance, study_header or {})

    def get(self, uid: str) -> Study:
        """The study; NotFound. In a writing transaction its row is held: arrivals wait for the commit."""
        query = select(studies).where(studies.c.study_uid == uid)
        found = self.selected(query.with_for_update(key_share=True) if self._writing else query)
        if not found:
            raise NotFound(f"no study {uid}")
        return found[0]

    def hold(self, uid: str) -> Study:
        """`get` in a writing transaction that will write its series as well; NotFound.

        An arrival takes a series, then the study. Who takes them the other way round would wait for ever. That the
        series is there an arrival may look up at its commit, while we wait for the study.
        """
        series = select(tables.series.c.series_uid).where(tables.series.c.study_uid == uid)
        self._connection.execute(series.with_for_update(key_share=True)).all()
        return self.get(uid)

    def find(self, uid: str) -> Study | None:
        return next(iter(self.selected(select(studies).where(studies.c.study_uid == uid))), None)

    def list(
        self, states: Collection[StudyState] | None = None, limit: int = 100, before: float | None = None
    ) -> Studies_:
        """The newest first by arrival; `before` (a `received_at`) turns the page."""
        query = select(studies).order_by(studies.c.received_at.desc()).limit(at_most(limit))
        if states is not None:
            query = query.where(among(studies.c.state, states))
        if before is not None:
            query = query.where(studies.c.received_at < before)
        return self.selected(query)

    def of_patient(self, patient_id: str, limit: int = 50) -> Studies_:
        """The newest arrivals under this patient ID, which must not be empty; whose they are is for the caller to ask.

        An ID alone proves no identity, and one like "ANONYMOUS" has no end of studies: hence the limit.
        """
        if not patient_id:
            raise ValueError("an empty patient ID is nobody's")
        query = select(studies).where(studies.c.patient_id == patient_id).order_by(studies.c.received_at.desc())
        return self.selected(query.limit(at_most(limit)))

    def counts(self, most: int | None = None) -> dict[StudyState, int]:
        """How many studies are in each state; a state without one is left out, none counted further than `most`."""
        return self._counts(studies.c.state, StudyState, most)

    def series(self, study_uid: str) -> Sequence[Series]:
        """The study's series, by UID."""
        of_study = tables.series.c.study_uid == study_uid
        rows = self._connection.execute(select(tables.series).where(of_study).order_by(tables.series.c.series_uid))
        return [Series(r.series_uid, r.study_uid, r.modality, r.images, r.others, r.header) for r in rows]

    def instances(
        self,
        *,
        study_uid: str | None = None,
        series_uid: str | None = None,
        conflicts: bool = False,
        rejected: bool = True,
    ) -> Sequence[Instance]:
        """Instances in the order of arrival.

        With `conflicts` also the contents that do not count; without `rejected` none that a rejection note names.
        """
        if study_uid is None and series_uid is None:
            raise ValueError("instances of which study or series?")
        query = select(instances).order_by(instances.c.received_at, instances.c.sop_uid)
        if study_uid is not None:
            query = query.where(instances.c.study_uid == study_uid)
        if series_uid is not None:
            query = query.where(instances.c.series_uid == series_uid)
        if not conflicts:
            query = query.where(instances.c.conflict.is_(False))
        if not rejected:
            named = select(1).where(tables.rejections.c.sop_uid == instances.c.sop_uid)
            query = query.where(~exists(named).correlate(instances))
        return [instance_of(row) for row in self._connection.execute(query)]

    def known(self, study_uid: str) -> Sequence[tuple[str, str, InstanceKind]]:
        """Series, UID and kind of every instance that is here, conflicts among them; without the headers."""
        query = select(instances.c.series_uid, instances.c.sop_uid, instances.c.kind)
        rows = self._connection.execute(query.where(instances.c.study_uid == study_uid))
        return [(row.series_uid, row.sop_uid, InstanceKind(row.kind)) for row in rows]

    def has_instance(self, uid: str) -> bool:
        """Whether an instance of this SOP instance UID arrived."""
        return self._exists(instances.c.sop_uid == uid)

    def named(self, uids: Sequence[str]) -> Sequence[Instance]:
        """The instances of these UIDs that arrived, in no order; of each the one that counts."""
        found: list[Instance] = []
        for start in range(0, len(uids), IN_ONE_QUERY):
            some = instances.c.sop_uid.in_(uids[start : start + IN_ONE_QUERY])
            rows = self._connection.execute(select(instances).where(some, instances.c.conflict.is_(False)))
            found += [instance_of(row) for row in rows]
        return found

    def settled(self, now: float, quiet_s: float) -> Studies_:
        """RECEIVING studies, quiet for `quiet_s` or by hand, with no open association that gave them something.

        One that has given something to another study since, and nothing to this one for `TURNED` times as long, counts
        no more: routers keep an association for whatever comes. A study with a second content of one of its images
        waits until that has been judged.
        In a writing transaction the rows are held, so that an image that arrives meanwhile waits and then
        opens the study again; rows that another writer holds are left out.
        """
        sends = and_(
            senders.c.study_uid == studies.c.study_uid,
            senders.c.association_id == associations.c.association_id,
            associations.c.closed_at.is_(None),
            associations.c.lease_until > now,
            or_(studies.c.changed_at > now - TURNED * quiet_s, ~_has_turned()),
        )
        bears = ~among(instances.c.kind, REVIEWS)  # a review changes no input
        query = (
            select(studies)
            .where(studies.c.state == StudyState.RECEIVING.value)
            .where(or_(studies.c.changed_at <= now - quiet_s, studies.c.by_hand))
            .where(~exists(select(1).select_from(senders).join(associations, sends)).correlate(studies))
            .where(~exists(select(1).where(instances.c.study_uid == studies.c.study_uid, instances.c.unread, bears)))
            .order_by(studies.c.changed_at)
        )
        return self.selected(query.with_for_update(key_share=True, skip_locked=True) if self._writing else query)

    def ready(
        self, now: float, limit: int = 1, *, but: Collection[str] = (), closed: Collection[str] = ()
    ) -> Studies_:
        """COMPLETE studies that can be dispatched, the newest first: they wait for no recall and no earlier study more.

        None of those in `but`; a job of a model in `closed` is not waited for. A deadline is compared here, so that it
        holds even where whoever asks the archive hangs. In a writing transaction the rows are held, as by `settled`.
        """
        query = (
            select(studies)
            .where(studies.c.state == StudyState.COMPLETE.value)
            .where(~recalls.waits(now), prior_waits.waits_no_more(now, closed))
            .order_by(studies.c.received_at.desc())
            .limit(at_most(limit))
        )
        if but:
            query = query.where(studies.c.study_uid.not_in(but))
        return self.selected(query.with_for_update(key_share=True, skip_locked=True) if self._writing else query)

    def move(self, uid: str, to: StudyState, now: float, *, incomplete: str | None = None) -> None:
        """Take the step to `to`, or IllegalStep; back to RECEIVING the quiet time begins anew.

        `incomplete`, where it is given, is from now on what the study is known to lack.
        """
        state = self._locked(studies.c.state, studies.c.study_uid == uid)
        if state is None:
            raise NotFound(f"no study {uid}")
        check_step(STUDY_STEPS, f"study {uid}", StudyState(state), to)
        values: dict[str, Any] = {"state": to.value}
        if to is StudyState.RECEIVING:
            values["changed_at"] = now
        if incomplete is not None:
            values["incomplete"] = plain(incomplete)
        self._connection.execute(update(studies).where(studies.c.study_uid == uid).values(**values))

    def reopen(self, uid: str, at: float) -> None:
        """What was known of the study's images has changed at `at`: it has to settle anew; a removed one has none."""
        as_it_is = among(studies.c.state, (StudyState.FETCHING, StudyState.REMOVED))
        state = case((as_it_is, studies.c.state), else_=StudyState.RECEIVING.value)
        later = case((studies.c.changed_at > at, studies.c.changed_at), else_=at)
        self._connection.execute(
            update(studies).where(studies.c.study_uid == uid).values(state=state, changed_at=later)
        )

    def open_generation(self, uid: str) -> int:
        """Begin the next generation of the study's results and give its number."""
        step = update(studies).where(studies.c.study_uid == uid).values(generation=studies.c.generation + 1)
        number = self._connection.execute(step.returning(studies.c.generation)).scalar_one_or_none()
        if number is None:
            raise NotFound(f"no study {uid}")
        return int(number)

    def _add_again(self, instance: Instance, study_header: Mapping[str, Any]) -> Arrival:
        known = and_(instances.c.sop_uid == instance.sop_instance_uid, instances.c.sha256 == instance.file.sha256)
        replaced = self._connection.execute(select(instances.c.replaced).where(known)).scalar_one_or_none()
        if replaced is not None:
            if instance.kind is InstanceKind.IMAGE and not instance.fetched:  # what is new may come after it
                this = {"uid": instance.study_instance_uid, "at": instance.received_at}
                arrivals.still_sent(self._connection, this)
            return Arrival.REPLACED if replaced else Arrival.DUPLICATE
        if not self._add(instances, **_instance_values(instance, conflict=True)):
            return Arrival.DUPLICATE
        # The other content may name a study or series that nobody has sent; it becomes visible, without images.
        arrivals.see_series(self._connection, _series_values(instance))
        self._see(instance, study_header)
        return Arrival.CONFLICT

    def _count(self, instance: Instance, study_header: Mapping[str, Any]) -> None:
        image = instance.kind is InstanceKind.IMAGE
        counter = "images" if image else "others"
        awaited = self._awaited(instance)
        this = {"of": instance.study_instance_uid, "number": instance.series_instance_uid}
        if arrivals.count_one_more(self._connection, this, counter).rowcount == 0:
            arrivals.count_in_series(self._connection, _series_values(instance) | {counter: 1}, counter)
        if image:
            self._open_again(instance, study_header, awaited)
        else:
            self._see(instance, study_header, awaited)
        if instance.kind is not InstanceKind.RESULT and awaited not in (FetchPurpose.MISSING, FetchPurpose.PRIOR):
            sender = {"study_uid": instance.study_instance_uid, "association_id": instance.association_id}
            arrivals.add_sender(self._connection, sender)

    def _awaited(self, instance: Instance) -> FetchPurpose | None:
        """Why the instance is waited for by a fetch that is queued or runs, and that cannot end before this commit.

        What comes of a prior is one also after its fetch has ended: archives go on sending when nobody waits any more.
        """
        if not instance.fetched:
            return None
        prior = fetches.c.purpose == FetchPurpose.PRIOR.value
        pending = fetches.c.state == FetchState.PENDING.value
        awaits = prior if instance.kind is InstanceKind.RESULT else or_(prior, pending)
        query = select(fetches.c.purpose).where(fetches.c.study_uid == instance.study_instance_uid, awaits)
        purpose = self._connection.execute(query.with_for_update(read=True)).scalar_one_or_none()
        return None if purpose is None else FetchPurpose(purpose)

    def _see(self, instance: Instance, study_header: Mapping[str, Any], awaited: FetchPurpose | None = None) -> None:
        """Make the study visible for what is no new image of it; where it was removed it begins anew."""
        arrivals.see_study(self._connection, _study_values(instance, study_header, awaited))

    def _open_again(self, instance: Instance, study_header: Mapping[str, Any], awaited: FetchPurpose | None) -> None:
        this = {"uid": instance.study_instance_uid, "at": instance.received_at}
        if awaited is None and arrivals.one_image_more(self._connection, this).rowcount == 1:
            return  # as nearly always
        values = _study_values(instance, study_header, awaited) | {"images": 1}
        arrivals.open_study_again(self._connection, values, awaited)

    def selected(self, query: Select[Any] | CompoundSelect[Any]) -> Studies_:
        """The studies of the rows that `query` selects, in its order; the package's other stores ask so as well."""
        rows = self._connection.execute(query).all()
        aets = self._calling_aets([row.study_uid for row in rows])
        return [_study(row, aets[row.study_uid]) for row in rows]

    def _calling_aets(self, uids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        found: dict[str, dict[str, None]] = defaultdict(dict)
        if uids:
            query = (
                select(senders.c.study_uid, associations.c.calling_aet)
                .join(associations, associations.c.association_id == senders.c.association_id)
                .where(senders.c.study_uid.in_(uids))
                .order_by(associations.c.opened_at)
            )
            for uid, aet in self._connection.execute(query):
                found[uid][aet] = None
        return defaultdict(tuple, {uid: tuple(aets) for uid, aets in found.items()})


def _has_turned() -> ColumnElement[bool]:
    """Whether an association has sent of another study since the last image of this one."""
    theirs, other = senders.alias(), studies.alias()
    later = and_(theirs.c.association_id == associations.c.association_id, other.c.changed_at > studies.c.changed_at)
    both = theirs.join(other, other.c.study_uid == theirs.c.study_uid)
    return exists(select(1).select_from(both).where(later)).correlate(studies, associations)


def _study_values(instance: Instance, header: Mapping[str, Any], awaited: FetchPurpose | None = None) -> dict[str, Any]:
    begins = {None: StudyState.RECEIVING, FetchPurpose.PRIOR: StudyState.NOT_ROUTED}
    return {
        "study_uid": instance.study_instance_uid,
        "state": begins.get(awaited, StudyState.FETCHING).value,
        "generation": 1,
        "received_at": instance.received_at,
        "changed_at": instance.received_at,
        "images": 0,
        "folder": folder_name(instance.study_instance_uid),
        **header_columns(header),
    }


def _series_values(instance: Instance) -> dict[str, Any]:
    return {
        "study_uid": instance.study_instance_uid,
        "series_uid": instance.series_instance_uid,
        "modality": plain(str(instance.header.get("Modality", ""))),
        "images": 0,
        "others": 0,
        "header": instance.header,
    }


def _instance_values(instance: Instance, *, conflict: bool) -> dict[str, Any]:
    return {
        "sop_uid": instance.sop_instance_uid,
        "sha256": instance.file.sha256,
        "conflict": conflict,
        "unread": instance.kind in (READ_AGAIN if conflict else READ_ONCE),
        "sop_class_uid": instance.sop_class_uid,
        "series_uid": instance.series_instance_uid,
        "study_uid": instance.study_instance_uid,
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "kind": instance.kind.value,
        "path": instance.file.path,
        "size": instance.file.size,
        "received_at": instance.received_at,
        "association_id": instance.association_id,
        "header": instance.header,
        "fetched": instance.fetched,
    }


def _study(row: Row[Any], calling_aets: Sequence[str]) -> Study:
    return Study(
        study_instance_uid=row.study_uid,
        state=StudyState(row.state),
        generation=row.generation,
        received_at=row.received_at,
        changed_at=row.changed_at,
        calling_aets=tuple(calling_aets),
        images=row.images,
        header=row.header,
        incomplete=row.incomplete,
        by_hand=row.by_hand,
        wanted_task=row.wanted_task,
    )


def instance_of(row: Row[Any]) -> Instance:
    """The record of a row of `instances`."""
    return Instance(
        sop_instance_uid=row.sop_uid,
        sop_class_uid=row.sop_class_uid,
        series_instance_uid=row.series_uid,
        study_instance_uid=row.study_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        kind=InstanceKind(row.kind),
        file=StoredFile(row.path, row.size, row.sha256),
        received_at=row.received_at,
        association_id=row.association_id,
        header=row.header,
        conflict=row.conflict,
        replaced=row.replaced,
        correction=row.correction,
        fetched=row.fetched,
    )
