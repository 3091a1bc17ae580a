"""What retention asks of the database, and how a study leaves it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CompoundSelect, Select, Table, bindparam, delete, func, select, text, tuple_, union_all, update

from storage import tables
from storage.archive import folder_name
from storage.arriving.headers import header_columns
from storage.errors import NotFound
from storage.leaving.promises import Promises
from storage.lifecycle import DeliveryState, JobMark, JobState, StudyState
from storage.records import StoredFile
from storage.retention import JobFacts, StudyFacts
from storage.sql.store import Store, among
from storage.sql.tables_arriving import prior_waits
from storage.sql.words import EMPTY, at_most
from storage.studies import Studies

studies, series, instances, senders = tables.studies, tables.series, tables.instances, tables.senders
jobs, results, deliveries = tables.jobs, tables.results, tables.deliveries

ENDED = (StudyState.DISPATCHED, StudyState.NOT_ROUTED)
NEVER_MADE = (JobState.FAILED, JobState.REFUSED)  # jobs without an object: they go with the study
QUOTING = (  # sentences that stay, and may quote a description or a peer
    (studies, ("incomplete",)),
    (jobs, ("reason", "summary")),
    (deliveries, ("reason",)),
    (tables.commitments, ("reason",)),
    (tables.fetches, ("reason",)),
    (tables.journal, ("text",)),
)
Rewording = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Weight:
    """What a study takes on disk."""

    files: int
    bytes: int


class Removals(Store):
    """Retention's view of one transaction."""

    def facts(self, before: float, after: tuple[float, str], limit: int) -> list[StudyFacts]:
        """Studies at rest since `before`, longest first; `after` (changed_at, UID) turns the page."""
        columns = (studies.c.study_uid, studies.c.state, studies.c.changed_at)
        since = tuple_(studies.c.changed_at, studies.c.study_uid) > tuple_(*after)
        # Each state's studies stand in this order in an index, and the databases merge them; IN would have them sort.
        old = (studies.c.changed_at <= before, since)
        each = [select(*columns).where(studies.c.state == state, *old) for state in ENDED]
        query = union_all(*each)
        oldest = (query.selected_columns.changed_at, query.selected_columns.study_uid)
        return self._facts(query.order_by(*oldest).limit(at_most(limit)))

    def of(self, uid: str) -> StudyFacts:
        """One study; NotFound. In a writing transaction it and its series are held: arrivals wait for the commit."""
        if self._writing:
            Studies(self._connection).hold(uid)
        query = select(studies.c.study_uid, studies.c.state, studies.c.changed_at).where(studies.c.study_uid == uid)
        found = self._facts(query)
        if not found:
            raise NotFound(f"no study {uid}")
        return found[0]

    def weights(self, uids: Collection[str]) -> dict[str, Weight]:
        """How many files, and how many bytes, would go with each study."""
        files = _files(uids).subquery()
        query = select(files.c.study_uid, func.count(), func.sum(files.c.size)).group_by(files.c.study_uid)
        found = {uid: Weight(int(count), int(total)) for uid, count, total in self._connection.execute(query)}
        return {uid: found.get(uid, Weight(0, 0)) for uid in uids}

    def remove(self, uid: str, now: float, reworded: Rewording = lambda said: said) -> list[StoredFile]:
        """Let the study's rows go and give the files that nothing names from the commit on.

        What stays is small and names no patient: that it was here, what was made of it, and every UID of ours. Its
        sentences are kept as `reworded` gives them, by column: from now on nobody can tell which words are a name.
        """
        files = [StoredFile(row.path, row.size, row.sha256) for row in self._connection.execute(_files([uid]))]
        execute = self._connection.execute
        for table in (instances, senders, series, tables.recalls, prior_waits):
            execute(delete(table).where(table.c.study_uid == uid))
        made = select(jobs.c.job_id).where(jobs.c.study_uid == uid)
        gone = results.c.job_id.in_(made) & results.c.removed_at.is_(None)
        execute(update(results).where(gone).values(removed_at=now))
        # One that was done once, run again and failed has made objects, whose UIDs stay known.
        kept = [jobs.c.job_id.not_in(select(table.c.job_id)) for table in (results, tables.reviews)]
        execute(delete(jobs).where(jobs.c.study_uid == uid, among(jobs.c.state, NEVER_MADE), *kept))
        empty: dict[str, Any] = {"state": StudyState.REMOVED.value, "images": 0, **header_columns({})}
        execute(update(studies).where(studies.c.study_uid == uid).values(**empty))
        for table, columns in QUOTING:
            self._reword(table, columns, uid, reworded)
        Promises(self._connection).forget(uid)
        return files

    def _reword(self, table: Table, columns: Sequence[str], uid: str, reworded: Rewording) -> None:
        (key,) = table.primary_key.columns
        query = select(key.label("key"), *(table.c[name] for name in columns)).where(table.c.study_uid == uid)
        for row in self._connection.execute(query).all():
            said = {name: getattr(row, name) for name in columns}
            if (kept := dict(reworded(said))) != said:
                self._connection.execute(update(table).where(key == row.key).values(**kept))

    def hold_files(self) -> None:
        """From now to the commit no other transaction can name a file: what nothing names now may be deleted."""
        if self._connection.dialect.name == "postgresql":  # SQLite has one writer, and this is it
            self._connection.execute(text("LOCK TABLE instances, results IN SHARE MODE"))

    def named(self, uid: str) -> set[str]:
        """The paths that rows of this study name."""
        return {row.path for row in self._connection.execute(_files([uid]))}

    def owner(self, folder: str) -> str | None:
        """The study whose files lie in this folder of the archive; ask after `name_folders`."""
        query = select(studies.c.study_uid).where(studies.c.folder == folder)
        return self._connection.execute(query).scalar_one_or_none()

    def name_folders(self, limit: int | None = None) -> int:
        """Note the folders of studies that an older release has written; gives the number."""
        unnamed = select(studies.c.study_uid).where(studies.c.folder == EMPTY).limit(at_most(limit))
        uids = list(self._connection.execute(unnamed).scalars())
        if uids:
            this = update(studies).where(studies.c.study_uid == bindparam("uid")).values(folder=bindparam("name"))
            self._connection.execute(this, [{"uid": uid, "name": folder_name(uid)} for uid in uids])
        return len(uids)

    def is_named(self, path: str) -> bool:
        """Whether a row of an arrival names this path; not by an index."""
        return self._exists(instances.c.path == path)

    def every_study(self) -> list[str]:
        """The UIDs of all studies."""
        return list(self._connection.execute(select(studies.c.study_uid)).scalars())

    def every_file(self) -> list[tuple[str, int]]:
        """Path and size of every file that a row names."""
        arrived = select(instances.c.path, instances.c.size)
        made = select(results.c.path, results.c.size).where(results.c.removed_at.is_(None))
        both = union_all(arrived, made).subquery()
        rows = self._connection.execute(select(both.c.path, func.max(both.c.size)).group_by(both.c.path))
        return [(path, int(size)) for path, size in rows]

    def _facts(self, query: Select[Any] | CompoundSelect[Any]) -> list[StudyFacts]:
        found = self._connection.execute(query).all()
        uids = [row.study_uid for row in found]
        made, barred, unread = self._jobs(uids), Promises(self._connection).bars(uids), self._unread(uids)
        return [
            StudyFacts(
                study_instance_uid=row.study_uid,
                state=StudyState(row.state),
                changed_at=row.changed_at,
                jobs=made[row.study_uid],
                barred_until=barred.get(row.study_uid),
                unread=row.study_uid in unread,
            )
            for row in found
        ]

    def _unread(self, uids: Sequence[str]) -> set[str]:
        """Of which studies something waits to be read, or against an image of theirs under another study's name."""
        of_theirs = select(instances.c.study_uid).where(instances.c.unread, instances.c.study_uid.in_(uids))
        here = instances.alias()
        same = select(here.c.study_uid).join(instances, here.c.sop_uid == instances.c.sop_uid)
        against = same.where(instances.c.unread, here.c.study_uid.in_(uids))
        return set(self._connection.execute(union_all(of_theirs, against)).scalars())

    def _jobs(self, uids: Sequence[str]) -> defaultdict[str, dict[str, JobFacts]]:
        sent = self._deliveries(uids)
        facts: defaultdict[str, dict[str, JobFacts]] = defaultdict(dict)
        names = ("job_id", "study_uid", "route", "state", "finished_at", "created_at", "mark", "rejects")  # no inputs
        of_studies = select(*(jobs.c[name] for name in names)).where(jobs.c.study_uid.in_(uids))
        for row in self._connection.execute(of_studies.order_by(jobs.c.job_id)):
            states = [state for state, _ in sent[row.job_id]]
            ended_at = max([row.finished_at or row.created_at, *(at for _, at in sent[row.job_id])])
            facts[row.study_uid][row.job_id] = JobFacts(
                row.route, JobState(row.state), ended_at, states, JobMark(row.mark), bool(row.rejects)
            )
        return facts

    def _deliveries(self, uids: Collection[str]) -> defaultdict[str, list[tuple[DeliveryState, float]]]:
        found: defaultdict[str, list[tuple[DeliveryState, float]]] = defaultdict(list)
        columns = (deliveries.c.job_id, deliveries.c.state, deliveries.c.created_at, deliveries.c.sent_at)
        for row in self._connection.execute(select(*columns).where(deliveries.c.study_uid.in_(uids))):
            found[row.job_id].append((DeliveryState(row.state), row.sent_at or row.created_at))
        return found


def _files(uids: Collection[str]) -> Select[Any]:
    """Path, size and digest of every file that rows of these studies name."""
    facts = ("path", "size", "sha256")
    arrived = select(instances.c.study_uid, *(instances.c[name] for name in facts))
    made = select(jobs.c.study_uid, *(results.c[name] for name in facts)).join(jobs, jobs.c.job_id == results.c.job_id)
    both = union_all(
        arrived.where(instances.c.study_uid.in_(uids)),
        made.where(jobs.c.study_uid.in_(uids), results.c.removed_at.is_(None)),
    ).subquery()  # a result that came back is one file with two rows
    columns = (func.max(both.c.size).label("size"), func.max(both.c.sha256).label("sha256"))
    return select(both.c.study_uid, both.c.path, *columns).group_by(both.c.study_uid, both.c.path)
