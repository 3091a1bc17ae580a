"""What fails at one study goes on with the others, and comes back to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dicom_node.pipeline.aside import Aside
from storage.database import Database
from storage.errors import LeaseLost, Unavailable


def fail(aside: Aside, database: Database, fault: Exception, *studies: str, now: float = 1000.0) -> None:
    """A stage is at these studies, one after the other, and fails at the last."""

    def work() -> None:
        with aside.watching(database, "dispatch", now, 3) as tell:
            for uid in studies:
                tell(uid)
            raise fault

    with pytest.raises(type(fault)):
        work()


def test_the_study_at_which_it_failed_is_stepped_over_ever_longer(database: Database) -> None:
    aside = Aside()
    for now, until in ((1000.0, 1060.0), (2000.0, 2120.0), (3000.0, 3240.0)):
        fail(aside, database, ValueError("Doe^Jane"), "1.2", "1.3", now=now)
        assert (aside.at(now), aside.at(until - 1), aside.at(until)) == (["1.3"], ["1.3"], [])
    with database.reading() as tx:
        told = [(entry.event, entry.text, entry.revision) for entry in tx.journal.of_study("1.3")]
    text = "dispatch failed at it, unforeseen ValueError; it is tried again in 60 s"
    assert (told[0], len(told)) == (("stepped over", text, 3), 3)


@pytest.mark.parametrize("fault", [LeaseLost("gone"), Unavailable("locked")])
def test_what_passes_by_itself_is_no_fault_of_a_study(database: Database, fault: Exception) -> None:
    aside = Aside()
    fail(aside, database, fault, "1.2")
    assert aside.at(1000.0) == []


def test_a_fault_before_any_study_puts_none_aside(database: Database) -> None:
    aside = Aside()
    fail(aside, database, ValueError())
    assert aside.at(1000.0) == []


def test_an_instance_whose_file_cannot_be_read_now_is_stepped_over_for_a_minute_and_told_once(
    database: Database, arrive: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    arrive(1, 10.0)
    aside = Aside()
    with database.reading() as tx:
        (instance,) = tx.studies.instances(study_uid="1.2.3")
    for now in (1000.0, 2000.0, 3000.0):
        aside.unread(database, instance, Unavailable("Input/output error"), now, 3)
        uid = instance.sop_instance_uid
        assert [aside.at(now), aside.at(now + 59), aside.at(now + 60)] == [[uid], [uid], []]
    with database.reading() as tx:
        told = [(one.text, one.revision) for one in tx.journal.of_study("1.2.3") if one.event == "waits"]
    text = f"image {uid} is read later: Input/output error"
    assert told == [(text, 3)]
    assert caplog.text.count(text) == 3
