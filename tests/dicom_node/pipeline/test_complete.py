"""A study is complete when it is quiet and no association that sent it is open."""

from __future__ import annotations

from collections.abc import Callable

from dicom_node.pipeline.complete import Complete
from storage.database import Database
from storage.lifecycle import StudyState

STUDY = "1.2.3"


def state(database: Database) -> StudyState:
    with database.reading() as tx:
        return tx.studies.get(STUDY).state


def test_waits_for_quiet(database: Database, arrive: Callable[..., None]) -> None:
    stage = Complete(database, quiet_s=30)
    arrive(1, 100.0)
    assert not stage.step(129.0)
    arrive(2, 129.0)
    assert not stage.step(131.0), "a new image starts the quiet anew"
    assert stage.step(160.0)
    assert state(database) is StudyState.COMPLETE


def test_says_so_in_the_journal(database: Database, arrive: Callable[..., None]) -> None:
    arrive(1, 100.0)
    Complete(database, quiet_s=5, revision=3).step(200.0)
    with database.reading() as tx:
        (entry,) = tx.journal.of_study(STUDY)
    assert (entry.event, entry.revision) == ("complete", 3)
    assert "1 images" in entry.text


def test_does_nothing_twice(database: Database, arrive: Callable[..., None]) -> None:
    arrive(1, 100.0)
    stage = Complete(database, quiet_s=5)
    assert stage.step(200.0)
    assert not stage.step(300.0)
