"""What a test of delivering needs: a destination that answers as it is told, a clock turned by hand, the stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from turned_clock import Clock

from dicom_node.errors import PeerError
from dicom_node.network.statuses import Status, Told, meaning_of
from dicom_node.pipeline.backoff import Backoff
from dicom_node.pipeline.deliver import Deliver
from dicom_node.pipeline.patience import Patience
from storage.archive import Archive
from storage.database import Database
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState
from storage.records import Circuit, Delivery, Job, ResultObject

STUDY = "1.2.3"
UIDS = ("2.25.1", "2.25.2", "2.25.3")
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
PATIENCE = Patience(retry=Backoff(10, 100, 3), pause=Backoff(30, 600, 3), down_after=3)


@dataclass
class Peer:
    """A destination that answers as it is told; each file's content is its UID, which ends with the job's number."""

    answer: PeerError | int = 0x0000
    taken: list[list[str]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    after: Callable[[str], None] = lambda _: None  # one answer and before the next

    def deliver(self, files: Sequence[Path], told: Told) -> dict[str, Status]:
        self.before()
        uids = [path.read_text() for path in files]
        self.taken.append([uid.rpartition(".")[0] for uid in uids])
        if isinstance(self.answer, PeerError):
            raise self.answer
        answers = {uid: meaning_of(self.answer) for uid in uids}
        for uid, status in answers.items():
            told({uid: status})
            self.after(uid)
        return answers


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def result(database: Database, archive: Archive, queue: Callable[..., Job]) -> Callable[..., int]:
    """`result(number)` makes a job's three objects and its delivery; gives the delivery's number."""

    def make(number: int = 1, destination: str = "pacs", now: float = 30.0, priority: int = 0) -> int:
        job_id = f"{number:064}"
        if number == 1:
            queue(job_id, priority=priority)
        else:
            with database.transaction() as tx:
                tx.jobs.add(replace(tx.jobs.of_study(STUDY)[0], job_id=job_id, priority=priority))
        with database.transaction() as tx:
            for uid in UIDS:
                file = archive.write(STUDY, uid, [f"{uid}.{number}".encode()])
                tx.results.add(ResultObject(f"{uid}.{number}", SEG, "2.25.8", job_id, "seg", file))
            return tx.deliveries.add(job_id, STUDY, destination, DeliveryState.PENDING, now)

    return make


@pytest.fixture
def deliver(database: Database, archive: Archive, peer: Peer, clock: Clock) -> Deliver:
    return Deliver(database, archive, Sender("pacs"), peer, PATIENCE, "me", 60, clock=clock)  # type: ignore[arg-type]


@pytest.fixture
def step(deliver: Deliver, clock: Clock) -> Callable[..., bool]:
    """`step(now)` turns the clock and does one piece of work."""

    def turn(now: float) -> bool:
        clock.now = now
        return deliver.step(now)

    return turn


@pytest.fixture
def look(database: Database) -> Callable[..., Delivery]:
    def get(number: int = 0) -> Delivery:
        with database.reading() as tx:
            return tx.deliveries.get(number) if number else tx.deliveries.of_study(STUDY)[0]

    return get


def circuit(database: Database, name: str = "pacs") -> Circuit:
    with database.reading() as tx:
        return tx.circuits.get(name)


def events(database: Database) -> list[tuple[str, str]]:
    with database.reading() as tx:
        return [(entry.event, entry.text) for entry in reversed(tx.journal.recent(100)) if entry.event != "received"]
