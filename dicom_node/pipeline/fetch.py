"""FETCHING → COMPLETE: a study's source is asked what it holds, and what is not here is pulled.

A study waits until nothing is missing or its deadline is over; then it goes on, marked with what it lacks.
What a person wants of an archive (`segnode fetch`) takes the same way, a few studies at a time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from dicom_node.errors import PeerError, Refused, Unreachable
from dicom_node.network.discretion import in_words
from dicom_node.network.retrieve import Brought, Told
from dicom_node.network.survey import Held, Survey
from dicom_node.pipeline.keeper import Keeper
from dicom_node.pipeline.settle import settle
from dicom_node.settings.priors import PriorSettings
from storage.arriving.fetches import BROKEN_OFF
from storage.database import Database, Transaction
from storage.lifecycle import FetchState, StudyState
from storage.records import Fetch, FetchPurpose, InstanceKind, Tally

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 60.0
SHORTEST_RETRIEVAL_S = 30.0  # given to what is asked for just before the deadline


class Archive(Protocol):
    """Somebody who can be asked; `Unreachable` and `Refused` as everywhere."""

    def survey(self, study_uid: str, held: Held) -> Survey: ...

    def retrieve(self, study_uid: str, survey: Survey, how: str, limit_s: float, told: Told) -> Brought: ...


@dataclass(frozen=True)
class Attempt:
    """What one attempt came to: the survey as it is afterwards (None: not asked), how many came, and the trouble."""

    survey: Survey | None = None
    fetched: int = 0
    trouble: str = ""
    refused: bool = False  # the peer will not be asked

    def tally(self, before: Tally) -> Tally:
        """What is known now; where the peer could not be asked, what was known before."""
        if self.survey is None:
            return before
        return Tally(self.survey.expected, self.survey.missing, before.fetched + self.fetched)


@dataclass(frozen=True)
class Reconcile:
    """Asks for the fetches of one purpose, one after the other; of `segnode fetch` only `max_in_flight` at once."""

    database: Database
    archives: Mapping[str, Archive]  # by name
    purpose: FetchPurpose
    owner: str
    lease_term_s: float
    max_in_flight: int = 4
    priors: PriorSettings = field(default_factory=PriorSettings)  # what is asked of an archive after this
    revision: int = 0
    clock: Callable[[], float] = time.time
    name: str = "fetch"

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.fetches.due(now, self.purpose):
                return False
            crowded = self.purpose is FetchPurpose.PROCESS and tx.fetches.in_flight() >= self.max_in_flight
            if crowded and not tx.fetches.due(now, self.purpose, begun_only=True):
                return False
        with self.database.transaction() as tx:
            fetch = tx.fetches.claim(self.owner, now, self.lease_term_s, self.purpose, begun_only=crowded)
        if fetch is None:
            return False
        attempt = self._attempt(fetch)
        fetch = replace(fetch, tally=attempt.tally(fetch.tally))
        if attempt.survey is not None and not attempt.survey.missing:
            self._all_here(fetch)
        elif attempt.refused:
            self._not_asked(fetch, attempt.trouble)
        elif self.clock() >= (fetch.deadline or 0.0):
            self._give_up(fetch, attempt.trouble)
        else:
            self._later(fetch, attempt.trouble)
        return True

    def _attempt(self, fetch: Fetch) -> Attempt:
        archive = self.archives.get(fetch.peer)
        if archive is None:
            return Attempt(trouble=f"no peer {fetch.peer} is configured any more", refused=True)
        if fetch.reason == BROKEN_OFF:
            return Attempt(trouble=BROKEN_OFF)
        come = before = fetch.tally.fetched

        def renew(tx: Transaction) -> None:
            tx.fetches.renew(fetch.study_instance_uid, self.owner, time.time(), self.lease_term_s, fetched=come)

        def told(brought: Brought) -> None:
            nonlocal come
            come = before + brought.completed

        with Keeper(self.database, renew, self.lease_term_s):
            return self._ask(fetch, archive, told)

    def _ask(self, fetch: Fetch, archive: Archive, told: Told) -> Attempt:
        uid, how = fetch.study_instance_uid, fetch.policy.get("retrieve", "move")
        try:
            survey = archive.survey(uid, self._held(uid))
        except (Unreachable, Refused) as error:
            return Attempt(trouble=self._in_words(uid, error), refused=isinstance(error, Refused))
        if not survey.missing or how == "none":
            return Attempt(survey)
        left_s = max(SHORTEST_RETRIEVAL_S, (fetch.deadline or 0.0) - self.clock())
        try:
            failed = archive.retrieve(uid, survey, how, left_s, told).failed
            said = f"{fetch.peer} could not send {failed} images" if failed else ""
        except PeerError as error:
            said = self._in_words(uid, error)
        after = survey.after(self._held(uid))  # what counts is what is here, whatever the peer says
        return Attempt(after, survey.missing - after.missing, said)

    def _in_words(self, uid: str, error: PeerError) -> str:
        with self.database.reading() as tx:
            study = tx.studies.find(uid)
        return in_words(error, study.header if study else {})

    def _held(self, uid: str) -> Held:
        images: dict[str, set[str]] = {}
        with self.database.reading() as tx:
            results = (result for job in tx.jobs.of_study(uid) for result in tx.results.of_job(job.job_id))
            known = {result.sop_instance_uid for result in results}
            for series, instance, kind in tx.studies.known(uid):
                known.add(instance)
                if kind is InstanceKind.IMAGE:
                    images.setdefault(series, set()).add(instance)
        return Held(images, known)

    def _all_here(self, fetch: Fetch) -> None:
        expected, fetched = fetch.tally.expected or 0, fetch.tally.fetched
        now, uid = self.clock(), fetch.study_instance_uid
        with self.database.transaction() as tx:
            study = tx.studies.find(uid)
            here = study.images if study else 0
            text = f"{here} images, {_beside(here, expected, fetch.peer)}"
            text += f"; {fetched} of them fetched" if fetched else ""
            state = FetchState.DONE if here else FetchState.GIVEN_UP
            tx.fetches.end(uid, self.owner, state, now, text, fetch.tally)
            again = fetch.purpose is FetchPurpose.PROCESS
            self._go_on(tx, fetch, "complete", text, now, incomplete="", again=again)
        log.info("study reconciled", extra={"study": uid, "images": here, "expected": expected, "fetched": fetched})

    def _not_asked(self, fetch: Fetch, reason: str) -> None:
        """The quiet time must do, unless the archive has told before what is missing."""
        if fetch.tally.missing:
            self._give_up(fetch, reason)
            return
        text = f"whether anything is missing could not be asked: {reason}"
        self._end(fetch, "complete" if fetch.purpose is FetchPurpose.MISSING else "not fetched", text, incomplete="")

    def _give_up(self, fetch: Fetch, trouble: str) -> None:
        tally = fetch.tally
        if tally.missing is None:
            incomplete = f"perhaps incomplete: {fetch.peer} could not be asked"
        else:
            incomplete = f"incomplete: {tally.missing} of {tally.expected} images missing"
        waited = fetch.patience_s - max(0.0, (fetch.deadline or 0.0) - self.clock())
        text = f"{incomplete}; waited {waited:.0f} s for {fetch.peer}, {fetch.attempts} attempts"
        self._end(fetch, "incomplete", f"{text}: {trouble}" if trouble else text, incomplete)
        log.warning("study incomplete", extra={"study": fetch.study_instance_uid, "missing": tally.missing})

    def _end(self, fetch: Fetch, event: str, text: str, incomplete: str) -> None:
        now = self.clock()
        with self.database.transaction() as tx:
            uid = fetch.study_instance_uid
            tx.fetches.end(uid, self.owner, FetchState.GIVEN_UP, now, text, fetch.tally)
            self._go_on(tx, fetch, event, text, now, incomplete=incomplete)

    def _later(self, fetch: Fetch, trouble: str) -> None:
        tally, now = fetch.tally, self.clock()
        first_wait_s = float(fetch.policy.get("ask_again_s", LONGEST_WAIT_S))
        wait = min(LONGEST_WAIT_S, first_wait_s * 2 ** min(fetch.attempts - 1, 20))
        at = min(now + wait, fetch.deadline or now)
        lacks = "" if tally.missing is None else f"{tally.missing} of {tally.expected} images are not here"
        reason = "; ".join(part for part in (lacks, trouble) if part)
        with self.database.transaction() as tx:
            tx.fetches.postpone(fetch.study_instance_uid, self.owner, at, reason, tally)
            text = f"{reason}; {fetch.peer} is asked again in {at - now:.0f} s"
            self._journal(tx, fetch, "fetch postponed", text, now)
        log.info("fetch postponed", extra={"study": fetch.study_instance_uid, "peer": fetch.peer})

    def _go_on(
        self, tx: Transaction, fetch: Fetch, event: str, text: str, now: float, *, incomplete: str, again: bool = False
    ) -> None:
        """The study leaves FETCHING; with `again` one that was through before is dispatched once more.

        One that its sender is still at settles anew by itself.
        """
        self._journal(tx, fetch, event, text, now)
        study = tx.studies.find(fetch.study_instance_uid)
        if study is None or study.state in (StudyState.RECEIVING, StudyState.COMPLETE, StudyState.REMOVED):
            return
        if study.state is StudyState.FETCHING or again:
            settle(tx, study.study_instance_uid, self.priors, now, incomplete=incomplete)

    def _journal(self, tx: Transaction, fetch: Fetch, event: str, text: str, now: float) -> None:
        tx.journal.add(now, event, text, study=fetch.study_instance_uid, revision=self.revision)


def _beside(here: int, expected: int, peer: str) -> str:
    if here == expected:
        return f"as many as {peer} holds"
    return f"{peer} holds {expected or 'none'} of it"
