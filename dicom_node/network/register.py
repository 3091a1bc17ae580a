"""Open associations as leased rows, so that every process knows whether a sender is still sending."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from pynetdicom.association import Association

from dicom_node.audit.arrivals import Arrivals
from dicom_node.audit.recorder import Recorder
from storage.database import Database, Transaction
from storage.errors import NotFound, StorageError

log = logging.getLogger(__name__)

AGAIN_S = 1.0  # after a renewal that the database did not take: the term goes on meanwhile


@dataclass
class OpenAssociation:
    """One association while it lasts; `noted` once its row is committed.

    `wanted_task` is None but where a person brings what comes: then a task, or "" for what the routes say.
    """

    calling_aet: str
    called_aet: str
    address: str
    association_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    noted: bool = False
    kept: int = 0
    refused: int = 0
    wanted_task: str | None = None
    last_study: str = ""  # of which an instance was kept
    last_refusal: str = ""  # why one was not
    arrivals: Arrivals = field(default_factory=Arrivals)  # for the audit trail


class Register:
    """The associations of this process: noted when accepted, renewed every third of their term, closed at their end."""

    def __init__(
        self,
        database: Database,
        owner: str,
        term_s: float,
        clock: Callable[[], float] = time.time,
        audit: Recorder | None = None,
    ) -> None:
        self._database = database
        self._owner = owner
        self._term_s = term_s
        self._clock = clock
        self._audit = audit or Recorder()
        self._open: dict[Association, OpenAssociation] = {}
        self._unwritten: dict[str, float] = {}  # ends that the database has not heard of, by association
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="associations", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Close all that is open and renew no more."""
        self._stop.set()
        self._thread.join()
        for association in list(self._open):
            self.closed(association)

    def accepted(self, association: Association) -> None:
        """Note a new association. Where the database is away its row comes with its first instance."""
        entry = self.entry(association)
        try:
            with self._database.transaction() as tx:
                self.note(tx, entry, self._clock())
        except StorageError as trouble:
            log.warning("association not noted yet: %s", trouble)
        else:
            entry.noted = True

    def entry(self, association: Association) -> OpenAssociation:
        """What is known of `association`."""
        with self._lock:
            if association not in self._open:
                requestor = association.requestor
                called = getattr(requestor.primitive, "called_ae_title", "")
                arrivals = self._audit.arrivals(requestor.ae_title, requestor.address)
                self._open[association] = OpenAssociation(
                    requestor.ae_title, called, requestor.address, arrivals=arrivals
                )
            return self._open[association]

    def note(self, tx: Transaction, entry: OpenAssociation, now: float) -> None:
        """Write the row of `entry`, unless it stands; `entry.noted` is set by who commits."""
        if not entry.noted:
            tx.associations.open(
                entry.association_id,
                self._owner,
                entry.calling_aet,
                entry.called_aet,
                entry.address,
                now,
                self._term_s,
            )

    def closed(self, association: Association) -> None:
        """Note the end of an association; a second end changes nothing."""
        with self._lock:
            entry = self._open.pop(association, None)
        if entry is None:
            return
        self._write_end(entry.association_id, self._clock())
        entry.arrivals.ended()
        facts = {"calling_aet": entry.calling_aet, "kept": entry.kept, "refused": entry.refused}
        log.info("association ended", extra=facts)

    def _write_end(self, association_id: str, at: float) -> None:
        """Write it, or keep it in mind."""
        try:
            with self._database.transaction() as tx:
                tx.associations.close(association_id, at)
        except NotFound:
            log.debug("an association that was never noted has ended")
        except StorageError as trouble:
            with self._lock:
                self._unwritten[association_id] = at
            log.warning("end of an association not noted yet: %s", trouble)

    def renew(self) -> bool:
        """Extend the leases of what is open, and close what ended without a word or while the database was away.

        False where the database did not take it.
        """
        with self._lock:
            unwritten, self._unwritten = self._unwritten, {}
        for association_id, at in unwritten.items():
            self._write_end(association_id, at)
        for association in list(self._open):
            if not association.is_alive():
                self.closed(association)
        with self._lock:
            noted = [entry.association_id for entry in self._open.values() if entry.noted]
        if not noted:
            return True
        try:
            with self._database.transaction() as tx:
                tx.associations.renew(noted, self._clock(), self._term_s)
        except StorageError as trouble:
            log.warning("associations not renewed: %s", trouble)
            return False
        return True

    def _keep(self) -> None:
        pause = self._term_s / 3
        while not self._stop.wait(pause):
            pause = self._term_s / 3 if self.renew() else min(AGAIN_S, self._term_s / 3)
