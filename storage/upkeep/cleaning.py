"""Takes away what retention lets go: rows first, in one commit with the journal; then files.

A crash between the two leaves files that no row names, which `reconcile.py` sweeps; never a row without its file.
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.archive import Archive
from storage.database import Database, Transaction
from storage.errors import IllegalStep, StorageError
from storage.lifecycle import DeliveryState
from storage.records import StoredFile
from storage.retention import DAY_S, Decision, Rule, StudyFacts, decide, unfinished
from storage.upkeep.removals import Weight

log = logging.getLogger(__name__)

PAGE = 500
IN_ONE_TURN = 5000  # studies that are looked at by the clock in one go, of however many there are
Place = tuple[float, str]  # changed_at and UID of the last study that was looked at
START: Place = (-1.0, "")
GIVEN_UP = (DeliveryState.HELD, DeliveryState.DEAD)  # what waits for a person, who has spoken
DELETED = "a person deleted the study"
BATCH = 200  # files deleted under one hold: arrivals wait that long


@dataclass(frozen=True)
class Due:
    """A study that may go: why, since when its work has ended, and what it takes."""

    study_instance_uid: str
    reason: str
    since: float
    files: int
    bytes: int


@dataclass(frozen=True)
class Outlook:
    """What may go, what has ended longest first, and how many studies stay whatever their age, by reason.

    `whole`: every study was looked at, and not only those that have been at rest longest.
    """

    due: Sequence[Due]
    kept: Counter[str]
    whole: bool


@dataclass(frozen=True)
class Gone:
    """A study whose rows have left: its header as it was, and why files of it are still here, where some are."""

    study_instance_uid: str
    header: Mapping[str, Any] = field(repr=False)
    failure: str = ""


@dataclass(frozen=True)
class _Taken:
    """A study whose rows have been taken away in this commit, and the files that may follow it."""

    due: Due
    header: Mapping[str, Any] = field(repr=False)
    files: Sequence[StoredFile]


@dataclass(frozen=True)
class Cleaner:
    """Removes studies by rules; `told` hears of each, since nobody can tell whose it was once its rows are gone.

    `masked` gives what stays of a study without whom its header, the second argument, names. `ages` gives the moment by
    which ages are counted; without it the clock is believed.
    """

    database: Database
    archive: Archive
    rules: Sequence[Rule]
    revision: int = 0
    told: Callable[[Gone], None] = lambda _: None
    masked: Callable[[Any, Mapping[str, Any]], Any] = lambda said, _: said
    ages: Callable[[float], float] = lambda now: now

    def due(self, now: float, *, short: bool = False) -> list[Due]:
        """What would go now, what has ended longest first; with `short`, by the ages for a short disk."""
        return self._weighed(self._decisions(now, short=short))

    def outlook(self, now: float, *, short: bool = False, most: int | None = None) -> Outlook:
        """What `due` says, and what stays; with `most` no more studies are looked at, so that it stays quick."""
        old = now + 1000 * 365 * DAY_S  # when every age has been reached
        ended = list(itertools.islice(self._ended(now), most))
        goes = ((study, decide(study, self.rules, self.ages(now), short=short)) for study in ended)
        ever = (decide(study, self.rules, old, short=short) for study in ended)
        kept = Counter(decision.reason for decision in ever if not decision.goes)
        return Outlook(self._weighed(goes), kept, whole=most is None or len(ended) < most)

    def remove(self, uid: str, now: float, *, short: bool = False) -> Due | None:
        """Remove one study if it may go at this very moment; None where it may not any more.

        Unavailable where its files are away, which would come back without rows.
        """
        self.archive.check_there()
        with self.database.transaction() as tx:
            decision = decide(tx.removals.of(uid), self.rules, self.ages(now), short=short)
            if not decision.goes:
                return None
            gone = self._take_rows(tx, uid, decision, now)
        return self._take_files(gone)

    def remove_now(self, uid: str, now: float) -> Due:
        """Remove one study because a person wants it gone, whatever its age and the rules; NotFound.

        IllegalStep where work hangs on it. Only results that are held or that were given up are dropped with it.
        """
        self.archive.check_there()
        with self.database.transaction() as tx:
            facts = tx.removals.of(uid)
            if hangs := unfinished(facts, now, GIVEN_UP):
                raise IllegalStep(f"study {uid} is not removed: {hangs}")
            for job_id in facts.jobs:
                tx.deliveries.supersede_unsent(job_id, now, DELETED)
            gone = self._take_rows(tx, uid, Decision(goes=True, reason=DELETED, since=facts.changed_at), now)
        return self._take_files(gone)

    def _take_rows(self, tx: Transaction, uid: str, decision: Decision, now: float) -> _Taken:
        weight = tx.removals.weights([uid])[uid]
        header = tx.studies.get(uid).header
        files = tx.removals.remove(uid, now, lambda said: self.masked(said, header))
        text = f"removed {weight.files} files, {weight.bytes} bytes: {decision.reason}"
        detail = {"files": weight.files, "bytes": weight.bytes}
        tx.journal.add(now, "removed", text, study=uid, revision=self.revision, detail=detail)
        due = Due(uid, decision.reason, decision.since, weight.files, weight.bytes)
        return _Taken(due, header, files)

    def _take_files(self, taken: _Taken) -> Due:
        due, uid = taken.due, taken.due.study_instance_uid
        try:
            self.delete(uid, taken.files)
        except StorageError as trouble:
            self.told(Gone(uid, taken.header, str(trouble)))
            raise
        self.told(Gone(uid, taken.header))
        log.info("study removed", extra={"study": uid, "files": due.files, "bytes": due.bytes})
        return due

    def run(
        self, now: float, *, short: bool = False, enough: Callable[[], bool] = lambda: False
    ) -> Iterator[Due]:
        """Remove what is due, what has ended longest first, until `enough` says so; gives each as it goes."""
        yield from self._remove(self.due(now, short=short), now, short, enough)

    def turn(self, now: float, place: Place, enough: Callable[[], bool] = lambda: False) -> tuple[list[Due], Place]:
        """The same for the next few thousand studies after `place`: gives what went, and where the next turn begins.

        So a look takes no longer on a node that has kept every study for years.
        """
        decisions = list(itertools.islice(self._decisions(now, short=False, after=place), IN_ONE_TURN))
        gone = list(self._remove(self._weighed(decisions), now, False, enough))
        if len(decisions) < IN_ONE_TURN:
            return gone, START
        last, _ = decisions[-1]
        return gone, (last.changed_at, last.study_instance_uid)

    def _remove(self, due: Sequence[Due], now: float, short: bool, enough: Callable[[], bool]) -> Iterator[Due]:
        for one in due:
            if enough():
                return
            gone = self.remove(one.study_instance_uid, now, short=short)
            if gone is not None:
                yield gone

    def delete(self, uid: str, files: Sequence[StoredFile]) -> None:
        """Delete the study's files among `files` that no row names any more: some may have arrived again."""
        for start in range(0, len(files), BATCH):
            with self.database.transaction() as tx:
                tx.removals.hold_files()
                named = tx.removals.named(uid)
                self.archive.remove(*(file for file in files[start : start + BATCH] if file.path not in named))
        self.archive.drop_folder(uid)

    def _decisions(self, now: float, *, short: bool, after: Place = START) -> Iterator[tuple[StudyFacts, Decision]]:
        aged = self.ages(now)
        before = aged - min((rule.age_s(short=short) for rule in self.rules), default=0.0)
        for study in self._ended(before, after):
            yield study, decide(study, self.rules, aged, short=short)

    def _ended(self, before: float, after: Place = START) -> Iterator[StudyFacts]:
        """Studies at rest since `before`, longest first."""
        while True:
            with self.database.reading() as tx:
                page = tx.removals.facts(before, after, PAGE)
            yield from page
            if len(page) < PAGE:
                return
            after = (page[-1].changed_at, page[-1].study_instance_uid)

    def _weighed(self, decisions: Iterable[tuple[StudyFacts, Decision]]) -> list[Due]:
        """Those that go, what has ended longest first, each with what it takes."""
        going = {study.study_instance_uid: decision for study, decision in decisions if decision.goes}
        uids = list(going)
        weights: dict[str, Weight] = {}
        for start in range(0, len(uids), PAGE):
            with self.database.reading() as tx:
                weights |= tx.removals.weights(uids[start : start + PAGE])
        found = [Due(uid, one.reason, one.since, weights[uid].files, weights[uid].bytes) for uid, one in going.items()]
        return sorted(found, key=lambda due: due.since)
