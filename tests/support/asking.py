"""A study that waits for what an archive in memory holds of ours, the stage that asks it, and time turned by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from recalling import WHO, EarlierStudy, FakePacs, earlier_study
from turned_clock import Clock

from dicom_node.pipeline.complete import Complete
from dicom_node.pipeline.recall import Ask
from dicom_node.settings.priors import PriorSettings
from storage.archive import Archive
from storage.arriving.recalls import Recall
from storage.database import Database
from storage.records import Instance, InstanceKind, JournalEntry, Study

STUDY = "1.2.3"
PRIORS = PriorSettings(archive="pacs", deadline_s=60)
HEADER = {
    "PatientID": WHO.patient_id, "PatientName": WHO.name, "PatientBirthDate": WHO.birth_date, "PatientSex": WHO.sex,
    "StudyDate": "20250401", "StudyTime": "101500",
}  # fmt: skip


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> EarlierStudy:
    return earlier_study(tmp_path_factory.mktemp("earlier"))


@pytest.fixture
def hand() -> Clock:
    return Clock()


@pytest.fixture
def pacs(database: Database, archive: Archive, earlier: EarlierStudy) -> FakePacs:
    return FakePacs(database, archive, list(earlier.everything))


@pytest.fixture
def ask(database: Database, archive: Archive, pacs: FakePacs, hand: Clock) -> Ask:
    return Ask(database, archive, {"pacs": pacs}, "me", 30.0, revision=3, clock=hand)


@pytest.fixture
def settle(database: Database, archive: Archive) -> Callable[..., None]:
    """`settle(PatientID=…)` has the new study arrive with this header and become COMPLETE."""

    def run(priors: PriorSettings = PRIORS, **header: str) -> None:
        file = archive.write(STUDY, "1.2.3.1.1", [b"pixels"])
        classes = ("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1", STUDY, "1.2.840.10008.1.2.1")
        image = Instance("1.2.3.1.1", *classes, InstanceKind.IMAGE, file, 990.0, "", {"Modality": "CT"})
        with database.transaction() as tx:
            tx.studies.add_instance(image, HEADER | header)
        assert Complete(database, quiet_s=5.0, priors=priors).step(1000.0)

    return run


def recall(database: Database) -> Recall:
    with database.reading() as tx:
        found = tx.recalls.find(STUDY)
    assert found is not None
    return found


def study(database: Database, uid: str = STUDY) -> Study | None:
    with database.reading() as tx:
        return tx.studies.find(uid)


def journal(database: Database, uid: str = STUDY) -> list[JournalEntry]:
    with database.reading() as tx:
        return list(tx.journal.of_study(uid))


def told(database: Database, event: str, uid: str = STUDY) -> list[str]:
    return [entry.text for entry in journal(database, uid) if entry.event == event]
