"""COMPLETE waits for what an archive holds of ours of the same patient: earlier results, and the images below them.

They are looked for by C-FIND and brought here, until nothing is left to bring or the deadline is over. Dispatch looks
at the deadline itself, so an archive that is silent delays no result beyond it, whatever happens in here.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dicom_node.errors import PeerError, Refused, Unreachable
from dicom_node.network.discretion import in_words
from dicom_node.network.earlier import Earlier, Search
from dicom_node.network.retrieve import Brought, Told
from dicom_node.network.survey import Survey
from dicom_node.patient import Patient
from dicom_node.pipeline.bring import Bring, Gathered
from dicom_node.pipeline.keeper import Keeper
from storage.archive import Archive as Files
from storage.arriving.recalls import Prior, Recall
from storage.database import Database, Transaction
from storage.errors import NotFound
from storage.lifecycle import RecallState
from storage.records import Study

log = logging.getLogger(__name__)

MAKER = "Segnode"  # Manufacturer of everything that we make
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 30.0
LONGEST_ID = 64  # LO (PS3.5 6.2)


class Archive(Protocol):
    """Somebody who can be asked; `Unreachable` and `Refused` as everywhere."""

    def earlier(self, search: Search, limit_s: float) -> Earlier: ...

    def retrieve(self, study_uid: str, survey: Survey, how: str, limit_s: float, told: Told) -> Brought: ...


class NotAsked(Exception):
    """Nobody can be asked about this study; the text says why, without a value."""


@dataclass(frozen=True)
class Attempt:
    """What one attempt came to; `trouble` may pass, a refusal will not."""

    gathered: tuple[Gathered, ...] = ()
    strangers: int = 0  # answers that name another patient
    trouble: str = ""
    refused: bool = False

    @property
    def found(self) -> tuple[Prior, ...]:
        return tuple(prior for one in self.gathered for prior in one.priors)

    @property
    def left_out(self) -> str:
        """What was not used and why, e.g. "; left out: 2 x it cites 0 images"; empty where all was."""
        reasons = Counter(reason for one in self.gathered for reason in one.left_out)
        told = ", ".join(f"{number} x {reason}" if number > 1 else reason for reason, number in reasons.items())
        return f"; left out: {told}" if told else ""


@dataclass(frozen=True)
class Ask:
    """Asks the archives of the recalls that are due, one after the other."""

    database: Database
    files: Files
    archives: Mapping[str, Archive]  # by name
    owner: str
    lease_term_s: float
    device_uids: frozenset[str] = frozenset()  # of the models that are installed
    revision: int = 0
    clock: Callable[[], float] = time.time
    name: str = "recall"

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.recalls.due(now):
                return False
        with self.database.transaction() as tx:
            recall = tx.recalls.claim(self.owner, now, self.lease_term_s)
        if recall is None:
            return False
        attempt = self._attempt(recall)
        if attempt.trouble and not attempt.refused and self.clock() < recall.deadline:
            self._later(recall, attempt)
        else:
            self._end(recall, attempt)
        return True

    def _attempt(self, recall: Recall) -> Attempt:
        archive = self.archives.get(recall.peer)
        if archive is None:
            return Attempt(trouble=f"no peer {recall.peer} is configured any more", refused=True)
        if self.clock() >= recall.deadline:
            return Attempt(trouble=recall.reason or "nobody came to ask")

        def renew(tx: Transaction) -> None:
            tx.recalls.renew(recall.study_instance_uid, self.owner, time.time(), self.lease_term_s)

        try:
            with self.database.reading() as tx:
                study = tx.studies.get(recall.study_instance_uid)
            search = search_of(study, int(recall.policy["years"]))
        except (NotAsked, NotFound) as reason:
            return Attempt(trouble=str(reason), refused=True)
        with Keeper(self.database, renew, self.lease_term_s):
            return self._ask(recall, study, search, archive)

    def _ask(self, recall: Recall, study: Study, search: Search, archive: Archive) -> Attempt:
        gathered: list[Gathered] = []
        troubles: list[PeerError] = []
        try:
            earlier = archive.earlier(search, recall.deadline - self.clock())
        except PeerError as trouble:
            return Attempt((), 0, *_said([trouble], study))
        bring = Bring(
            database=self.database,
            files=self.files,
            sender=archive,
            peer=recall.peer,
            how=str(recall.policy["retrieve"]),
            header=study.header,
            until=recall.deadline,
            device_uids=self.device_uids,
            revision=self.revision,
            clock=self.clock,
        )
        for one in earlier.studies:
            if sum(bool(each.priors) for each in gathered) == recall.policy["studies"]:
                break
            try:
                gathered.append(bring.of(one))
            except PeerError as trouble:  # of this study; what is older may come all the same
                troubles.append(trouble)
                continue
            if gathered[-1].wants:
                objects = f"{gathered[-1].failed} object{'' if gathered[-1].failed == 1 else 's'}"
                troubles.append(Unreachable(f"{recall.peer} could not send {objects} of an earlier study"))
            if gathered[-1].priors:
                self._tell(recall, Attempt(tuple(gathered)))
        return Attempt(tuple(gathered), earlier.strangers, *_said(troubles, study))

    def _tell(self, recall: Recall, attempt: Attempt) -> None:
        with self.database.transaction() as tx:
            tx.recalls.tell(recall.study_instance_uid, self.owner, attempt.found)

    def _later(self, recall: Recall, attempt: Attempt) -> None:
        now = self.clock()
        wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(recall.attempts - 1, 20))
        at = min(now + wait, recall.deadline)
        with self.database.transaction() as tx:
            tx.recalls.postpone(recall.study_instance_uid, self.owner, at, attempt.trouble)
        log.info("recall postponed", extra={"study": recall.study_instance_uid, "peer": recall.peer})

    def _end(self, recall: Recall, attempt: Attempt) -> None:
        now, uid, peer = self.clock(), recall.study_instance_uid, recall.peer
        done = not attempt.trouble and now < recall.deadline
        found = attempt.found or (() if done else recall.found)  # what is here is here, also after one in vain
        state = RecallState.DONE if done else RecallState.GIVEN_UP
        strangers = attempt.strangers + sum(one.strangers for one in attempt.gathered)
        text = f"{_in_words(found, peer)}{attempt.left_out}" if done else _in_vain(recall, attempt, found)
        with self.database.transaction() as tx:
            tx.recalls.end(uid, self.owner, state, now, text, found)
            tx.journal.add(now, "priors" if done else "priors given up", text, study=uid, revision=self.revision)
            if strangers:
                who = "1 study or object names" if strangers == 1 else f"{strangers} studies or objects name"
                told = f"{who} another patient under this ID at {peer}; left out"
                tx.journal.add(now, "prior refused", told, study=uid, revision=self.revision)
        log.info("earlier results asked for", extra={"study": uid, "found": len(found), "state": str(state)})


def search_of(study: Study, years: int) -> Search:
    """What to look for; NotAsked where the study does not say whose or when it is."""
    patient = Patient.of(study.header)
    if not patient.patient_id or not patient.birth_date:  # without both, nothing would be compared
        raise NotAsked(f"the study has no {'birth date' if patient.patient_id else 'patient ID'}")
    wild = re.search(r"[*?\\]", patient.patient_id)  # a wildcard asks for others too (PS3.4 C.2.2.2.4)
    if wild or len(patient.patient_id) > LONGEST_ID or not patient.patient_id.isprintable():
        raise NotAsked("the study's patient ID cannot be asked for")
    day = str(study.header.get("StudyDate") or "")
    parts = re.fullmatch(r"(\d{4})(\d\d)(\d\d)", day, re.ASCII)
    if parts is None:
        raise NotAsked("the study has no date")
    year, month, number = (int(part) for part in parts.groups())
    first = f"{max(1, year - years):04d}{month:02d}{min(number, 28):02d}"  # a day that each year's month has
    return Search(study.study_instance_uid, patient, first, day, MAKER)


def _said(troubles: Sequence[PeerError], study: Study) -> tuple[str, bool]:
    """The first trouble, "" where there is none, and whether all of them are refusals."""
    words = in_words(troubles[0], study.header) if troubles else ""  # a peer likes to quote what it does not like
    return words, bool(troubles) and all(isinstance(one, Refused) for one in troubles)


def _in_words(found: tuple[Prior, ...], peer: str) -> str:
    number = len({(prior.study, prior.task) for prior in found})
    return f"{number or 'no'} earlier result{'' if number == 1 else 's'} found at {peer}"


def _in_vain(recall: Recall, attempt: Attempt, found: tuple[Prior, ...]) -> str:
    if attempt.refused:
        text = f"earlier results could not be asked for: {attempt.trouble}"
    else:
        text = f"waited {recall.patience_s:.0f} s for earlier results from {recall.peer}, {recall.attempts} attempts"
        text += f": {attempt.trouble}" if attempt.trouble else ": they came after that"
    return f"{text}; {_in_words(found, recall.peer)}" if found else text
