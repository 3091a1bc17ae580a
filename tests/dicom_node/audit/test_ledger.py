"""The console's copy follows the trail, and never holds it up."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dicom_node.audit import messages
from dicom_node.audit.facts import Happened, Images, Participant, PersonAction, Reporter
from dicom_node.audit.ledger import PAUSE_S, Ledger, entry_of, forget
from dicom_node.audit.spool import Spool
from dicom_node.audit.writer import Writer
from storage.database import Database
from storage.errors import Unavailable
from storage.people.audit_records import AuditSought

ADA = Participant("ada", requestor=True, name="Ada", address="10.0.0.9")
US = Participant("77", ae_title="SEGNODE", name="segnode web")


def looked_at(at: float = 1000.0) -> bytes:
    images = Images("1.2.3", "4711", "Doe^Jane")
    return messages.instances_accessed(
        Reporter("SEGNODE@host"), Happened(at), [ADA, US], images, kind=PersonAction.LOOK
    )


@pytest.fixture
def database(tmp_path: Path, empty_sqlite: Any) -> Iterator[Database]:
    database = Database.open(empty_sqlite(tmp_path / "node.sqlite"))
    yield database
    database.close()


def kept(database: Database) -> list[str]:
    with database.reading() as tx:
        return [entry.message for entry in tx.audit_records.page(AuditSought())]


def test_a_message_is_found_by_who_took_part_what_it_is_and_its_study() -> None:
    entry = entry_of(looked_at())
    assert (entry.at, entry.event, entry.kind, entry.study_uid) == (1000.0, "110103", "look", "1.2.3")
    assert entry.who.split("\n") == ["ada", "Ada", "10.0.0.9", "77", "segnode web", "SEGNODE"]
    assert entry.message == looked_at().decode()


def test_what_the_writer_has_written_is_copied(database: Database, spool: Spool) -> None:
    writer = Writer(spool, database)
    writer.put(looked_at)
    writer.close()
    assert kept(database) == [looked_at().decode()]
    assert len(spool.waiting()) == 1


class Stubborn:
    """A database that does not answer until it is told to."""

    def __init__(self, database: Database) -> None:
        self.database, self.answers, self.asked = database, False, 0

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self.asked += 1
        if not self.answers:
            raise Unavailable("the database does not answer")
        with self.database.transaction() as tx:
            yield tx


def test_a_database_that_does_not_answer_is_left_in_peace_and_what_lacks_is_told(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    stubborn, now = Stubborn(database), [0.0]
    ledger = Ledger(stubborn, clock=lambda: now[0])  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        ledger.keep(looked_at())
        stubborn.answers = True
        ledger.keep(looked_at())
        now[0] += PAUSE_S
        ledger.keep(looked_at(2000.0))
    assert stubborn.asked == 2
    assert kept(database) == [looked_at(2000.0).decode()]
    assert "2 audit messages are not in the console's list; the trail has them" in caplog.text
    assert "Doe" not in caplog.text


def test_old_copies_are_dropped(database: Database) -> None:
    ledger = Ledger(database)
    ledger.keep(looked_at(0.0))
    ledger.keep(looked_at(86400.0))
    forget(database, 86400.0 * 2.5, keep_days=2)
    assert kept(database) == [looked_at(86400.0).decode()]
