"""Audit messages copied into the database, where the console lists them; the trail itself is what the spool holds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from dicom_node.audit.reading import Message, read_message
from storage.database import Database
from storage.errors import StorageError
from storage.people.audit_records import AuditEntry

log = logging.getLogger(__name__)

PAUSE_S = 60.0  # after a failure: a database that does not answer must not keep the trail itself waiting


class Ledger:
    """Copies what it is given; what the database does not take is counted and told, and is in the spool all the same.

    Used by one thread, the writer's.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._not_before = float("-inf")
        self._missing = 0

    def keep(self, xml: bytes) -> None:
        """Copy a message."""
        if self._clock() < self._not_before:
            self._missing += 1
            return
        try:
            with self._database.transaction() as tx:
                tx.audit_records.add(entry_of(xml))
        except StorageError as trouble:
            self._missing += 1
            self._not_before = self._clock() + PAUSE_S
            log.warning("audit messages are not copied for the console now: %s", trouble)
            return
        if self._missing:
            log.warning("%d audit messages are not in the console's list; the trail has them", self._missing)
            self._missing = 0


def entry_of(xml: bytes) -> AuditEntry:
    """A message with what it is looked for by."""
    told = read_message(xml)
    kind = told.kind.value if told.kind else ""
    return AuditEntry(told.at, told.event.value, kind, _who(told), told.study_uid, xml.decode())


def forget(database: Database, now: float, keep_days: float) -> None:
    """Drop the copies that are older than so many days; for the clock."""
    with database.transaction() as tx:
        tx.audit_records.forget(now - keep_days * 86400)


def _who(told: Message) -> str:
    """Every word by which those who took part can be looked for."""
    words = (word for one in told.parties for word in (one.user_id, one.name, one.ae_title, one.address))
    return "\n".join(dict.fromkeys(filter(None, words)))
