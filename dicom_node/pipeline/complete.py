"""RECEIVING → COMPLETE: a study is complete when it is quiet and no association that sent it is open."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from storage.database import Database
from storage.lifecycle import StudyState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Complete:
    """Settles studies after `quiet_s` seconds without a new image."""

    database: Database
    quiet_s: float
    revision: int = 0
    name: str = "complete"

    def step(self, now: float) -> bool:
        with self.database.reading() as tx:
            if not tx.studies.settled(now, self.quiet_s):
                return False
        with self.database.transaction() as tx:
            settled = tx.studies.settled(now, self.quiet_s)
            for study in settled:
                tx.studies.move(study.study_instance_uid, StudyState.COMPLETE, now)
                tx.journal.add(
                    now,
                    "complete",
                    f"{study.images} images; quiet for {now - study.changed_at:.1f} s and every association closed",
                    study=study.study_instance_uid,
                    revision=self.revision,
                )
        for study in settled:
            log.info("study complete", extra={"study": study.study_instance_uid, "images": study.images})
        return bool(settled)
