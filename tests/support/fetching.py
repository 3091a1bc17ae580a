"""A study, the archive that is asked for what is missing of it, and the stage that asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from turned_clock import Clock

from dicom_node.errors import Refused, Unreachable
from dicom_node.network.retrieve import Brought
from dicom_node.network.survey import Gap, Held, Survey
from dicom_node.pipeline.complete import Complete
from dicom_node.pipeline.fetch import Reconcile
from dicom_node.sources import Source, Sources
from storage.archive import Archive
from storage.database import Database
from storage.records import Fetch, FetchPurpose, Instance, InstanceKind, Study

STUDY, SERIES = "1.2.3", "1.2.3.1"


@dataclass
class FakeArchive:
    """An archive of 5 images of one series; `down` or `refuses` it does not answer, `keeps` it does not send."""

    arrive: Callable[..., None]
    images: int = 5
    down: bool = False
    refuses: bool = False
    quotes: str = ""
    keeps: frozenset[int] = frozenset()
    before_sending: Callable[[], None] = lambda: None
    asked: int = 0
    held: Held = field(default_factory=Held)
    sent: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def survey(self, study_uid: str, held: Held) -> Survey:
        self.asked += 1
        self.held = held
        if self.down:
            raise Unreachable("PACS cannot be reached", quote=self.quotes)
        if self.refuses:
            raise Refused("PACS does not offer C-FIND", quote=self.quotes)
        uids = {f"{SERIES}.{n}": "" for n in range(1, self.images + 1) if f"{SERIES}.{n}" not in held.known}
        gap = Gap(SERIES, len(uids), len(held.images.get(SERIES, ())), uids)
        return Survey(self.images, (gap,) if uids else ())

    def retrieve(self, study_uid: str, survey: Survey, how: str, limit_s: float, told: Any) -> Brought:
        self.before_sending()
        wanted = [uid for gap in survey.gaps for uid in gap.sop_class_uids]
        self.sent.append((how, tuple(wanted)))
        come = [uid for uid in wanted if int(uid.rpartition(".")[2]) not in self.keeps]
        for uid in come:
            self.arrive(int(uid.rpartition(".")[2]), 1000.0, fetched=True)
        told(Brought(len(come)))
        return Brought(len(come), len(wanted) - len(come))


@pytest.fixture
def arrive_fetched(database: Database, archive: Archive) -> Callable[..., None]:
    """`arrive(number, now, fetched=True)` stores one image of the study."""
    def add(number: int, now: float, *, fetched: bool = False, kind: InstanceKind = InstanceKind.IMAGE) -> None:
        uid = f"{SERIES}.{number}"
        file = archive.write(STUDY, uid, [b"pixels of " + uid.encode()])
        ct, explicit = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
        instance = Instance(uid, ct, SERIES, STUDY, explicit, kind, file, now, "", {}, fetched=fetched)
        with database.transaction() as tx:
            tx.studies.add_instance(instance, {"PatientName": "Quill^Jane", "PatientID": "P-17"})

    return add


@pytest.fixture
def source(arrive_fetched: Callable[..., None]) -> FakeArchive:
    return FakeArchive(arrive_fetched)


def stage_of(purpose: FetchPurpose, database: Database, source: FakeArchive, hand: Clock, **changes: Any) -> Reconcile:
    return Reconcile(database, {"pacs": source}, purpose, "me", 30.0, clock=hand, revision=3, **changes)


@pytest.fixture
def stage(database: Database, source: FakeArchive, hand: Clock) -> Reconcile:
    return stage_of(FetchPurpose.MISSING, database, source, hand)


@pytest.fixture
def let_settle(database: Database, hand: Clock) -> Callable[..., None]:
    """`let_settle(retrieve=…)` lets the quiet time pass and the source be asked."""

    def run(**source: Any) -> None:
        sources = Sources({"*": Source(**{"peer": "pacs", "deadline_s": 100.0, "ask_again_s": 10.0} | source)})
        assert Complete(database, quiet_s=5.0, sources=sources).step(hand.now)

    return run


def study(database: Database) -> Study:
    with database.reading() as tx:
        return tx.studies.get(STUDY)


def fetch(database: Database) -> Fetch:
    with database.reading() as tx:
        found = tx.fetches.find(STUDY)
    assert found is not None
    return found


def journal(database: Database) -> list[tuple[str, str]]:
    with database.reading() as tx:
        return [(entry.event, entry.text) for entry in tx.journal.of_study(STUDY)]
