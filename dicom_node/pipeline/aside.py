"""A study at which a stage fails as nobody foresaw is journalled and stepped over: it keeps no other waiting.

So is an instance whose file cannot be read now.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dicom_node.pipeline.backoff import Backoff
from storage.database import Database
from storage.errors import LeaseLost, Unavailable
from storage.records import Instance

log = logging.getLogger(__name__)

AGAIN = Backoff(60, 3600, 0)  # it is tried again for ever: a release or a configuration to come may know better
UNREAD_S = 60.0  # a file may be had again at any moment: no longer, however often it was tried


class Aside:
    """What one stage steps over for now; a stage that begins anew tries all."""

    def __init__(self) -> None:
        self._faults: Counter[str] = Counter()
        self._until: dict[str, float] = {}
        self._told: set[str] = set()

    def at(self, now: float) -> list[str]:
        """The studies and instances that are stepped over."""
        return [uid for uid, until in self._until.items() if now < until]

    def unread(
        self, database: Database, instance: Instance, trouble: Unavailable, now: float, revision: int
    ) -> None:
        """Step over an instance whose file cannot be read now, for a minute; its study's journal is told once."""
        uid, study = instance.sop_instance_uid, instance.study_instance_uid
        self.waits(database, uid, f"{instance.kind} {uid} is read later: {trouble}", study, now, revision)

    def waits(self, database: Database, uid: str, text: str, study: str, now: float, revision: int) -> None:
        """Step over `uid`, the study's or of something in it, for a minute; the study's journal is told once."""
        if uid not in self._told:
            with database.transaction() as tx:
                tx.journal.add(now, "waits", text, study=study, revision=revision)
        self._told.add(uid)
        self._until[uid] = now + UNREAD_S
        log.warning("%s", text, extra={"study": study})

    @contextmanager
    def watching(self, database: Database, stage: str, now: float, revision: int) -> Iterator[Callable[[str], None]]:
        """Within, every fault is raised on, and one that the loop does not know puts aside the study told last."""
        told: list[str] = []
        try:
            yield told.append
        except (LeaseLost, Unavailable):
            raise
        except Exception as fault:
            for uid in told[-1:]:
                self._faults[uid] += 1
                wait = AGAIN.wait_s(self._faults[uid], 0.5)
                self._until[uid] = now + wait
                text = f"{stage} failed at it, unforeseen {type(fault).__name__}; it is tried again in {wait:.0f} s"
                with database.transaction() as tx:  # the fault's own text may name the patient
                    tx.journal.add(now, "stepped over", text, study=uid, revision=revision)
            raise
