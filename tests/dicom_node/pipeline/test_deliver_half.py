"""What a destination took of a delivery that never ended whole is rejected there once it is obsolete, and only that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from delivering import STUDY, UIDS, Peer

from dicom_node.destinations.folder import FolderDestination
from dicom_node.errors import Refused, Unfinished
from dicom_node.objects.context import Replaced
from dicom_node.objects.encode import Encoded
from dicom_node.pipeline.deliver import Deliver
from dicom_node.pipeline.withdraw import Withdraw
from storage.archive import Archive
from storage.database import Database
from storage.errors import Unavailable
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState
from storage.records import Delivery

FIRST, SECOND, THIRD = [f"{uid}.1" for uid in UIDS]
HALF = {FIRST: "0xB000 coerced", SECOND: "0x0122 SOP class not supported"}


class Killed(BaseException):
    """Nothing after it is done."""


@pytest.fixture(autouse=True)
def one(result: Callable[..., int]) -> int:
    return result()


@pytest.fixture
def named(database: Database, archive: Archive) -> Callable[..., list[tuple[str, list[str]]]]:
    """`named(now)` has the job superseded and its notes made: to whom they go, and what each rejects."""
    rejected: dict[str, list[str]] = {}

    def encode(note: str, objects: Sequence[Replaced], _subject: Path, _reason: str, _now: float) -> Encoded:
        rejected[note] = [one.sop_instance_uid for one in objects]
        return Encoded("rejection", "1.2.840.10008.5.1.4.1.1.88.59", f"2.25.{int(note[:8], 16)}", "2.25.78", b"a note")

    def run(now: float = 2000.0) -> list[tuple[str, list[str]]]:
        with database.transaction() as tx:
            job_id = tx.deliveries.of_study(STUDY)[0].job_id
            tx.deliveries.reap(now)
            tx.jobs.supersede(job_id, now, "late images")
            tx.deliveries.supersede_unsent(job_id, now)
        Withdraw(database, archive, frozenset({"pacs", "spare"}), encode).step(now)
        with database.reading() as tx:
            told = [one for one in tx.deliveries.of_study(STUDY) if one.job_id in rejected]
        return [(one.destination, rejected[one.job_id]) for one in told]

    return run


@pytest.mark.parametrize("trouble", [Refused("it takes no SR", HALF), Unfinished("no room", HALF)])
def test_what_was_taken_of_a_dead_or_waiting_one_is_rejected(
    step: Callable[..., bool], peer: Peer, named: Callable[..., object], trouble: Refused
) -> None:
    peer.answer = trouble
    step(1000.0)
    assert named() == [("pacs", [FIRST])]


def test_where_nothing_was_taken_nothing_is_rejected(
    step: Callable[..., bool], peer: Peer, named: Callable[..., object]
) -> None:
    peer.answer = Refused("it takes no SEG", {FIRST: "0x0122"})
    step(1000.0)
    assert named() == []


def test_what_is_to_be_sent_once_more_is_there_all_the_while(
    step: Callable[..., bool], look: Callable[..., Delivery], database: Database, named: Callable[..., object]
) -> None:
    step(1000.0)
    with database.transaction() as tx:
        tx.deliveries.retry(look().delivery_id, 1200.0)
    assert named() == [("pacs", [FIRST, SECOND, THIRD])]


@pytest.mark.parametrize(("at", "held"), [(FIRST, [FIRST]), (THIRD, [FIRST, SECOND, THIRD])])
def test_what_was_taken_before_we_were_killed_is_rejected(
    step: Callable[..., bool], peer: Peer, named: Callable[..., object], at: str, held: list[str]
) -> None:
    def kill(uid: str) -> None:
        if uid == at:
            raise Killed

    peer.after = kill
    with pytest.raises(Killed):
        step(1000.0)
    assert named() == [("pacs", held)]


def test_nothing_is_said_while_more_of_it_is_on_the_way(
    step: Callable[..., bool], peer: Peer, named: Callable[..., object]
) -> None:
    said: list[object] = []
    peer.after = lambda uid: said.append(named(1001.0)) if uid == FIRST else None
    step(1000.0)
    assert said == [[]]


def test_what_the_destination_does_not_hold_after_all_is_not_rejected(
    step: Callable[..., bool], look: Callable[..., Delivery], database: Database, named: Callable[..., object]
) -> None:
    step(1000.0)
    with database.transaction() as tx:
        tx.deliveries.uncommitted(look().delivery_id, 1300.0, "1 of 3 not", lost=[SECOND])
    assert named() == [("pacs", [FIRST, THIRD])]


def test_each_gets_a_note_on_its_own_part(
    deliver: Deliver, peer: Peer, named: Callable[..., object], look: Callable[..., Delivery]
) -> None:
    """The alternative took one object, then stands in no more, and the destination itself takes all."""
    peer.answer = Unfinished("no room", HALF)
    replace(deliver, sender=Sender("spare", stands_in={"pacs": {}})).step(1000.0)
    peer.answer = 0x0000
    deliver.step(5000.0)
    assert look().state is DeliveryState.SENT
    assert sorted(named(6000.0)) == [("pacs", [FIRST, SECOND, THIRD]), ("spare", [FIRST])]  # type: ignore[call-overload]


def test_what_has_ended_whole_leaves_no_parts(step: Callable[..., bool], peer: Peer, database: Database) -> None:
    peer.answer = Unfinished("no room", HALF)
    step(1000.0)
    with database.reading() as tx:
        job_id = tx.deliveries.of_study(STUDY)[0].job_id
        assert tx.parts.of_job(job_id) == {"pacs": {FIRST}}
    peer.answer = 0x0000
    step(5000.0)
    with database.reading() as tx:
        assert tx.parts.of_job(job_id) == {}


def test_a_database_that_is_away_for_a_moment_ends_no_sending(
    step: Callable[..., bool], peer: Peer, look: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("no answer")

    with monkeypatch.context() as outage:
        outage.setattr("storage.leaving.parts.Parts.add", away)
        assert step(1000.0)
    assert look().state is DeliveryState.SENT


def test_a_folder_tells_each_file_as_it_is_there(tmp_path: Path, archive: Archive, database: Database) -> None:
    with database.reading() as tx:
        files = [archive.path(one.file) for one in tx.results.of_job(tx.deliveries.of_study(STUDY)[0].job_id)]
    told: list[str] = []
    folder = FolderDestination(path=tmp_path / "share")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FolderDestination, "_copy", lambda _, file: file.read_text())
        folder.deliver(files, told=lambda answers: told.extend(uid for uid in answers))
    assert told == [FIRST, SECOND, THIRD]
