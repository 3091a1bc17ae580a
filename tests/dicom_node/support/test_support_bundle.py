"""The bundle for whoever helps: whole, and without a word on any patient, wherever strangers have written it.

dicom_node.support.support_facts gathers, dicom_node.cli.support asks for it; dicom_node.cli.site lists the commands.
"""

from __future__ import annotations

import json
import re
import time
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from click.testing import CliRunner
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_node.assembly import Parts
from dicom_node.checking.check import Report
from dicom_node.cli.main import main
from dicom_node.support import support_bundle
from dicom_node.support.support_bundle import Asked, bundled, pseudonym, write_bundle
from storage.deliveries import Setback
from storage.finding.search import Search, Sought
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobState, StudyState
from storage.people.users import Role
from storage.records import Instance, InstanceKind, Job, StoredFile, Study

STUDY, OTHER = "1.2.826.0.1.3680043.8.498.1234567890", "1.2.826.0.1.3680043.8.498.99"
HEADER = {
    "PatientName": "QUASIMODO^ZEBEDEE", "PatientID": "XZ/77 1144-Q", "PatientBirthDate": "19010203",
    "AccessionNumber": "ACC-55221", "ReferringPhysicianName": "Frollo^Claude", "StudyDate": "20260117",
}  # fmt: skip
NEEDLES = re.compile(r"quasimodo|zebedee|XZ.?77|1144|19010203|1901.02.03|ACC-?55221|frollo|2026-?01-?17|"
                     r"3680043|hunter2|esmeralda", re.IGNORECASE)  # fmt: skip
GOSSIP = f"0xC000: XZ/77 1144-Q is not Zebedee Quasimodo, born 1901-02-03 (Frollo's, ACC-55221), in {STUDY}"


@pytest.fixture
def told(parts: Parts) -> Parts:
    """A node whose every free text names the patient, as archives and scanners do."""
    with parts.database.transaction() as tx:
        for study, number in ((STUDY, 1), (OTHER, 2)):
            tx.associations.open(f"a{number}", "receive", "CT1", "SEGNODE", "10.0.0.1", 100.0, 60.0)
            file = StoredFile(f"ab/{number}.dcm", 10, str(number))
            tx.studies.add_instance(
                Instance(f"{study}.1.1", CTImageStorage, f"{study}.1", study, ExplicitVRLittleEndian,
                         InstanceKind.IMAGE, file, 100.0, f"a{number}", {"SeriesDescription": "of Quasimodo"}),
                HEADER if study == STUDY else {},
            )  # fmt: skip
            tx.associations.close(f"a{number}", 101.0)
            tx.studies.move(study, StudyState.COMPLETE, 110.0)
        job = Job("e" * 64, STUDY, 1, "everything", "liver_tumour", "bright", JobState.PENDING, 0, {}, {}, 111.0)
        tx.jobs.add(job)
        tx.jobs.claim("me", 112.0, 60.0)
        tx.jobs.finish(job.job_id, "me", JobState.FAILED, 113.0, GOSSIP, {"findings": [{"label": "Quasimodo"}]})
        number = tx.deliveries.add(job.job_id, STUDY, "share", DeliveryState.PENDING, 114.0)
        tx.outbox.claim(Sender("share"), "deliver", 115.0, 5.0)
        tx.deliveries.dead(number, "deliver", 116.0, Setback(GOSSIP, {f"{STUDY}.7": GOSSIP}))
        tx.journal.add(117.0, "verdict", GOSSIP, study=STUDY, series=f"{STUDY}.1", job=job.job_id,
                       detail={"route": "r", "statuses": {f"{STUDY}.7": GOSSIP}})  # fmt: skip
        tx.journal.add(118.0, "refused", GOSSIP)
        tx.journal.add(119.0, "compared", "with the study of 2026-01-17", study=OTHER, detail={"lesions": [9.25]})
        tx.users.add("esmeralda", Role.ADMIN, 120.0)
        tx.journal.add(121.0, "configuration", "Esmeralda changed a route")
    return parts


def contents(bundle: bytes) -> dict[str, str]:
    """Each member's text, by its name without the folder."""
    with ZipFile(BytesIO(bundle)) as opened:
        return {name.partition("/")[2]: opened.read(name).decode() for name in opened.namelist()}


def assert_no_patient(bundle: bytes) -> None:
    with ZipFile(BytesIO(bundle)) as opened:
        assert opened.testzip() is None
        for info in opened.infolist():
            for where, text in (("name", info.filename), ("comment", str(info.comment)),
                                ("content", opened.read(info).decode())):  # fmt: skip
                assert not NEEDLES.findall(text), f"in the {where} of {info.filename}"


def test_nothing_in_it_says_whose_studies_they_are(told: Parts, tmp_path: Path) -> None:
    log = tmp_path / "zebedee-quasimodo.log"
    log.write_text(f"2026-11-26T10:00:00Z WARNING x: {GOSSIP} at https://robot:hunter2@pacs.example/a?token=hunter2\n")
    conf = tmp_path / "conf" / "node.yaml"
    conf.write_text(conf.read_text() + "database_url: null  # hunter2 of Quasimodo\n")
    target = tmp_path / "bundle.zip"
    names = write_bundle(told, target, Asked([log]), time.time())
    assert_no_patient(target.read_bytes())
    said = contents(target.read_bytes())
    assert len(said) == len(names)
    assert "2026-11-26T10:00:00Z WARNING" in said["logs/1.log"]
    assert "hidden is not hidden hidden, born hidden" in said["logs/1.log"]


def test_a_patient_who_comes_while_peers_are_called_is_hidden(
    told: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that is silent keeps `check` for its timeout, and images come meanwhile."""
    who = {**HEADER, "PatientName": "PHOEBUS^CHATEAUPERS"}

    def slow(*_: object, **__: object) -> Report:
        with told.database.transaction() as tx:
            tx.associations.open("a3", "receive", "CT1", "SEGNODE", "10.0.0.1", 100.0, 60.0)
            file = StoredFile("ab/3.dcm", 10, "3")
            tx.studies.add_instance(
                Instance("1.2.3.1.1", CTImageStorage, "1.2.3.1", "1.2.3", ExplicitVRLittleEndian, InstanceKind.IMAGE,
                         file, 100.0, "a3", {}), who,
            )  # fmt: skip
            tx.journal.add(122.0, "refused", "0xC000: not Chateaupers, Phoebus")
        return Report()

    monkeypatch.setattr(support_bundle, "check", slow)
    said = contents(bundled(told, time.time()))
    assert "0xC000: not hidden, hidden" in said["journal.jsonl"]
    assert "phoebus" not in "".join(said.values()).lower()


def test_an_image_need_not_wait_until_all_headers_are_read(told: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has one writer, and a node has the headers of years."""
    waits: list[bool] = []

    def studies(self: Search, sought: Sought) -> list[Study]:
        waits.append(self._writing)
        return []

    monkeypatch.setattr(Search, "studies", studies)
    bundled(told, time.time())
    assert waits
    assert not any(waits)


def test_one_study_is_one_pseudonym_wherever_it_stands(told: Parts) -> None:
    said = contents(bundled(told, time.time()))
    mine = pseudonym(told, STUDY)
    assert json.loads(said["failures.json"])["jobs"][0]["study"] == mine
    assert json.loads(said["failures.json"])["deliveries"][0]["study"] == mine
    events = [json.loads(line) for line in said["journal.jsonl"].splitlines()]
    assert {e["study"] for e in events if e["event"] == "verdict"} == {mine}
    assert all(mine in e["text"] for e in events if e["event"] in ("verdict", "refused"))
    assert mine != pseudonym(told, OTHER)
    with told.database.transaction() as tx:
        key = tx.keys.get("support bundle")
    assert all(key not in text for text in said.values()), "the key stays here"


def test_it_has_what_helpers_ask_for(told: Parts) -> None:
    said = contents(bundled(told, time.time()))
    about, database = json.loads(said["about.json"]), json.loads(said["database.json"])
    assert {"segnode", "python", "system", "gpus", "libraries", "memory_bytes"} <= set(about)
    assert "pydicom" in about["libraries"]
    assert database["rows"]["studies"] == 2
    assert database["jobs"] == {"FAILED": 1}
    assert int(database["schema"]) > 0
    assert "ae_title: SEGNODE" in said["configuration/node.yaml"]
    assert json.loads(said["check.json"])["problems"] == []
    assert {"status.json", "queue.json", "disk.json", "README.txt", "configuration/revisions.json"} <= set(said)
    (failed,) = json.loads(said["failures.json"])["jobs"]
    assert "0xC000" in failed["reason"], "what went wrong is still to be read"
    assert "findings" not in failed
    assert "9.25" not in said["journal.jsonl"], "nothing that was measured in a patient"


def test_the_command_writes_it_and_tells_who_is_who(told: Parts, conf: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.zip"
    done = CliRunner().invoke(main, ["support-bundle", "--conf", str(conf), "--out", str(target), "--no-echo"])
    assert done.exit_code == 0, done.output
    assert "Look into it before you send it" in done.output
    assert_no_patient(target.read_bytes())
    who = CliRunner().invoke(main, ["support-bundle", "--conf", str(conf), "--who", STUDY])
    assert who.output.strip() == pseudonym(told, STUDY)
    nowhere = ["support-bundle", "--conf", str(conf), "--out", str(tmp_path / "nowhere" / "out.zip"), "--no-echo"]
    failed = CliRunner().invoke(main, nowhere)
    assert failed.exit_code == 1
    assert "cannot be written" in failed.output
