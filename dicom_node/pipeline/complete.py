"""RECEIVING → COMPLETE, or FETCHING: a study has settled when it is quiet and no association that sent it is open,
or those that are have long turned to other studies.

Where its sender has a source, that is asked first whether the study is here in full (`fetch`). Where node.yaml names
an archive for priors, a COMPLETE study waits for that one, up to a deadline (`recall`). A study that a person brought
waits for nothing: it is whole, and nobody is asked about it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from dicom_node.pipeline.settle import settle
from dicom_node.settings.priors import PriorSettings
from dicom_node.sources import Source, Sources
from storage.database import Database, Transaction
from storage.lifecycle import FetchState, StudyState
from storage.records import FetchPurpose, Study, Wanted

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Complete:
    """Settles studies after `quiet_s` seconds without a new image."""

    database: Database
    quiet_s: float
    revision: int = 0
    sources: Sources = field(default_factory=Sources)
    priors: PriorSettings = field(default_factory=PriorSettings)
    name: str = "complete"

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.studies.settled(now, self.quiet_s):
                return False
        with self.database.transaction() as tx:
            settled = tx.studies.settled(now, self.quiet_s)
            for study in settled:
                source = None if study.by_hand else self.sources.of(study.calling_aets)
                if source is None:
                    self._complete(tx, study, now)
                else:
                    self._ask(tx, study, source, now)
        for study in settled:
            log.info("study settled", extra={"study": study.study_instance_uid, "images": study.images})
        return bool(settled)

    def _complete(self, tx: Transaction, study: Study, now: float) -> None:
        priors = PriorSettings() if study.by_hand else self.priors  # of what a person tries nobody else is told
        settle(tx, study.study_instance_uid, priors, now, incomplete="")
        self._journal(tx, study, now, "complete", _settled(study, now))

    def _ask(self, tx: Transaction, study: Study, source: Source, now: float) -> None:
        wanted = Wanted(
            study.study_instance_uid, source.peer, FetchPurpose.MISSING, source.deadline_s, now, source.policy()
        )
        if not tx.fetches.want(wanted, now, over=tuple(FetchState)):
            return  # a worker is at its fetch this moment; the study is found again
        tx.studies.move(study.study_instance_uid, StudyState.FETCHING, now)
        self._journal(tx, study, now, "settled", f"{_settled(study, now)}; {source.peer} is asked whether that is all")

    def _journal(self, tx: Transaction, study: Study, now: float, event: str, text: str) -> None:
        tx.journal.add(now, event, text, study=study.study_instance_uid, revision=self.revision)


def _settled(study: Study, now: float) -> str:
    if study.by_hand:
        return f"{study.images} images, brought by a person"
    return f"{study.images} images; quiet for {now - study.changed_at:.1f} s and none of its senders at it any more"
