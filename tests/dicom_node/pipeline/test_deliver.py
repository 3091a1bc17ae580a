"""Results go to each destination, again while that makes sense, and never again after a no."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dicom_node.errors import PeerError, Refused, Unreachable
from dicom_node.network.statuses import Status, meaning_of
from dicom_node.pipeline.backoff import Backoff
from dicom_node.pipeline.deliver import Deliver
from storage.archive import Archive
from storage.database import Database
from storage.lifecycle import CommitmentState, DeliveryState
from storage.records import CommitmentReport, Delivery, Job, Reference, ResultObject

STUDY = "1.2.3"


@dataclass
class Peer:
    """A destination that answers as it is told."""

    answer: PeerError | int = 0x0000
    taken: list[Path] = field(default_factory=list)

    def deliver(self, files: Sequence[Path]) -> dict[str, Status]:
        if isinstance(self.answer, PeerError):
            raise self.answer
        self.taken += files
        return {path.name: meaning_of(self.answer) for path in files}


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def stage(database: Database, archive: Archive, queue: Callable[..., Job], peer: Peer) -> Deliver:
    job = queue()
    file = archive.write(STUDY, "2.25.7", [b"a segmentation"])
    with database.transaction() as tx:
        tx.results.add(ResultObject("2.25.7", "1.2.840.10008.5.1.4.1.1.66.4", "2.25.8", job.job_id, "seg", file))
        tx.deliveries.add(job.job_id, STUDY, "pacs", DeliveryState.PENDING, 30.0)
    return Deliver(database, archive, {"pacs": peer}, Backoff(10, 100, 3), "me", 60, clock=lambda: 50.0)  # type: ignore[dict-item]


def delivery(database: Database) -> Delivery:
    with database.reading() as tx:
        return tx.deliveries.of_study(STUDY)[0]


def test_success(stage: Deliver, database: Database, peer: Peer) -> None:
    assert stage.step(40.0)
    assert delivery(database).state is DeliveryState.SENT
    assert peer.taken[0].read_bytes().endswith(b"a segmentation")
    assert not stage.step(41.0), "once sent, nothing is due"


def test_a_warning_is_no_success_without_a_word(stage: Deliver, database: Database, peer: Peer) -> None:
    peer.answer = 0xB000
    stage.step(40.0)
    sent = delivery(database)
    assert sent.state is DeliveryState.SENT
    assert "coerced" in sent.reason


def test_silence_is_tried_again_later_then_given_up(stage: Deliver, database: Database, peer: Peer) -> None:
    peer.answer = Unreachable("connection refused")
    stage.step(40.0)
    waiting = delivery(database)
    assert waiting.state is DeliveryState.PENDING
    assert 57.5 <= waiting.next_attempt_at <= 62.5
    assert not stage.step(51.0), "not before its time"
    stage.step(70.0)
    stage.step(200.0)
    dead = delivery(database)
    assert dead.state is DeliveryState.DEAD
    assert "3 attempts" in dead.reason
    assert "connection refused" in dead.reason


def test_a_no_is_not_repeated(stage: Deliver, database: Database, peer: Peer) -> None:
    peer.answer = Refused("SOP class not supported")
    stage.step(40.0)
    assert delivery(database).state is DeliveryState.DEAD
    assert delivery(database).reason == "SOP class not supported"


def test_a_destination_that_is_gone_from_the_configuration(stage: Deliver, database: Database) -> None:
    stage.destinations.clear()  # type: ignore[attr-defined]
    stage.step(40.0)
    assert "no destination pacs" in delivery(database).reason


def test_who_is_to_commit_is_asked_in_the_same_commit(stage: Deliver, database: Database) -> None:
    replace(stage, commit=["pacs"], commit_after_s=7.0).step(40.0)
    with database.reading() as tx:
        (asked,) = tx.commitments.of_study(STUDY)
    assert asked.delivery_id == delivery(database).delivery_id
    assert asked.instances == (Reference("1.2.840.10008.5.1.4.1.1.66.4", "2.25.7"),)
    assert (asked.next_attempt_at, asked.state) == (57.0, CommitmentState.PENDING)


def test_nobody_else_is_asked(stage: Deliver, database: Database) -> None:
    replace(stage, commit=["research"]).step(40.0)
    with database.reading() as tx:
        assert tx.commitments.of_study(STUDY) == []


def test_only_what_the_destination_does_not_hold_is_sent_again(
    stage: Deliver, database: Database, archive: Archive, peer: Peer
) -> None:
    with database.transaction() as tx:
        job = tx.deliveries.of_study(STUDY)[0].job_id
        file = archive.write(STUDY, "2.25.9", [b"a report"])
        tx.results.add(ResultObject("2.25.9", "1.2.840.10008.5.1.4.1.1.88.33", "2.25.10", job, "sr", file))
    stage = replace(stage, commit=["pacs"])
    stage.step(40.0)
    assert len(peer.taken) == 2
    with database.transaction() as tx:
        asked = tx.commitments.claim("commit", 60.0, 60.0)
        tx.commitments.report(asked.transaction_uid, CommitmentReport(("2.25.7",), {"2.25.9": 0x0112}), 60.0)
        tx.commitments.claim("commit", 60.0, 60.0)
        tx.commitments.end(asked.commitment_id, "commit", CommitmentState.FAILED, "1 of 2 kept")
        tx.deliveries.uncommitted(asked.delivery_id, 70.0, "1 of 2 kept")
    stage.step(70.0)
    assert [path.read_bytes()[-8:] for path in peer.taken[2:]] == [b"a report"]
    with database.reading() as tx:
        assert len(tx.commitments.newest_of(asked.delivery_id).instances) == 2, "asked for all of it again"
