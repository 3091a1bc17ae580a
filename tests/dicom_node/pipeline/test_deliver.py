"""Results go to each destination, again while that makes sense, and never again after a no."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dicom_node.audit.facts import Outcome
from dicom_node.audit.recorder import Recorder
from dicom_node.errors import PeerError, Refused, Unreachable
from dicom_node.network.statuses import Status, meaning_of
from dicom_node.pipeline.deliver import Backoff, Deliver
from storage.archive import Archive
from storage.database import Database
from storage.lifecycle import DeliveryState
from storage.records import Delivery, Job, ResultObject

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


@dataclass
class Trail(Recorder):
    """Hears what the audit trail is told."""

    told: list[Outcome | str] = field(default_factory=list)

    def delivery_begins(self, delivery: Delivery) -> None:
        self.told.append("begins")

    def delivery_ended(self, delivery: Delivery, outcome: Outcome, reason: str = "") -> None:
        self.told.append(outcome)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (0x0000, Outcome.SUCCESS),
        (0xB000, Outcome.SUCCESS),
        (Unreachable("no answer"), Outcome.MINOR_FAILURE),
        (Refused("no"), Outcome.SERIOUS_FAILURE),
    ],
)
def test_every_attempt_is_audited_with_its_true_outcome(
    stage: Deliver, peer: Peer, answer: PeerError | int, outcome: Outcome
) -> None:
    peer.answer = answer
    trail = Trail()
    replace(stage, audit=trail).step(40.0)
    assert trail.told == ["begins", outcome]


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 100), (60, 100)])
def test_backoff_doubles_to_its_limit(attempt: int, seconds: float) -> None:
    backoff = Backoff(base_s=10, max_s=100, attempts=99)
    assert backoff.wait_s(attempt, 0.5) == seconds
    assert backoff.wait_s(attempt, 0.0) == 0.75 * seconds
    assert backoff.wait_s(attempt, 1.0) == 1.25 * seconds
