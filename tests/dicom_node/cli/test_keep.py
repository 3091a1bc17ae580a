"""`segnode retention`, `verify`, `backup`, `restore`, and what `status` says of a full disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

import pytest
from audit_schema import code
from click.testing import CliRunner, Result

from dicom_node.assembly import Parts, audit_spool
from dicom_node.audit.reading import read_message
from dicom_node.audit.recorder import person
from dicom_node.audit.words import sentence_of
from dicom_node.cli import main as cli
from dicom_node.settings import load
from storage.lifecycle import StudyState
from storage.records import Instance, InstanceKind

Segnode = Callable[..., Result]
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def segnode(conf: Path) -> Segnode:
    def run(*args: str) -> Result:
        result = CliRunner().invoke(cli.main, [*args, "--conf", str(conf)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def old(parts: Parts) -> Parts:
    """A study of one image that no route wanted, long ago."""
    file = parts.archive.write("1.2.5", "1.2.5.1.1", [b"pixels"])
    with parts.database.transaction() as tx:
        tx.studies.add_instance(
            Instance("1.2.5.1.1", CT, "1.2.5.1", "1.2.5", "1.2", InstanceKind.IMAGE, file, 100.0, ""),
            {"PatientName": "Doe^Jane"},
        )
        tx.studies.move("1.2.5", StudyState.COMPLETE, 100.0)
        tx.studies.move("1.2.5", StudyState.NOT_ROUTED, 100.0)
    return parts


def state(parts: Parts) -> StudyState:
    with parts.database.reading() as tx:
        return tx.studies.get("1.2.5").state


class TestRetention:
    def test_lists_what_would_go_and_removes_nothing(self, old: Parts, segnode: Segnode) -> None:
        told = json.loads(segnode("retention", "--json").stdout)
        (line,) = told["studies"]
        assert (line["study"], line["files"], line["bytes"], told["applied"]) == ("1.2.5", 1, 6, False)
        assert "rule not_routed: after 14 days" in line["why"]
        assert state(old) is StudyState.NOT_ROUTED
        assert "1 studies, 0.000 GB would go; --apply removes them" in segnode("retention").stdout

    def test_removes_when_told_and_says_where_the_study_is(self, old: Parts, segnode: Segnode) -> None:
        assert "1 studies, 0.000 GB removed" in segnode("retention", "--apply").stdout
        assert state(old) is StudyState.REMOVED
        assert list(old.archive.root.rglob("*.dcm")) == []
        view = json.loads(segnode("study", "1.2.5", "--json").stdout)
        assert view["state"] == "REMOVED"
        assert view["removed"]["why"].startswith("removed 1 files, 6 bytes: not_routed for")
        assert "removed" in segnode("explain", "1.2.5").stdout

    def test_is_audited_with_the_person_who_removes(
        self, old: Parts, segnode: Segnode, audited: Callable[[], list[Element]]
    ) -> None:
        segnode("retention")
        assert audited() == [], "whoever only looks deletes nothing"
        segnode("retention", "--apply")
        (deleted,) = audited()
        assert code(deleted.find("EventIdentification/EventID"))[2] == "DICOM Study Deleted"
        assert deleted.find("ActiveParticipant").get("UserID") == person().user_id
        study, patient = deleted.findall("ParticipantObjectIdentification")
        assert study.get("ParticipantObjectID") == "1.2.5"
        assert patient.findtext("ParticipantObjectName") == "Doe^Jane"

    def test_says_what_stays_and_why(self, story: Parts, segnode: Segnode) -> None:
        told = json.loads(segnode("retention", "--json").stdout)
        assert told["kept"] == {"a delivery of route everything is HELD": 1}


class TestVerify:
    def test_whole_files_are_yes_and_a_damaged_one_is_no(self, old: Parts, segnode: Segnode) -> None:
        assert segnode("verify").exit_code == 0
        (path,) = old.archive.root.rglob("*.dcm")
        path.write_bytes(b"pixel?")
        done = segnode("verify", "--study", "1.2.5", "--json")
        assert done.exit_code == 1
        (fault,) = json.loads(done.stdout)["faults"]
        assert (fault["fault"], fault["study"], fault["instance"]) == ("damaged", "1.2.5", "1.2.5.1.1")
        assert "1 files are missing or damaged" in segnode("verify").stdout

    def test_an_unknown_study_is_no(self, old: Parts, segnode: Segnode) -> None:
        assert segnode("verify", "--study", "1.9").exit_code == 1


class TestBackup:
    def test_comes_back_where_nothing_is(self, old: Parts, conf: Path, segnode: Segnode, tmp_path: Path) -> None:
        told = json.loads(segnode("backup", str(tmp_path / "backups"), "--with-files", "--json").stdout)
        assert (told["files_named"], told["files_copied"]) == (1, 1)
        refused = segnode("restore", told["backup"])
        assert refused.exit_code == 1
        assert "overwrites nothing" in refused.stderr
        node = conf / "node.yaml"
        node.write_text(node.read_text().replace("data_folder: data", "data_folder: new"))
        assert segnode("restore", told["backup"]).exit_code == 0
        assert segnode("verify").exit_code == 0
        assert json.loads(segnode("study", "1.2.5", "--json").stdout)["images"] == 1

    def test_says_that_the_files_are_not_in_it(self, old: Parts, segnode: Segnode, tmp_path: Path) -> None:
        assert "not in it: the 1 files" in segnode("backup", str(tmp_path / "backups")).stdout

    def test_says_that_the_audit_trail_is_not_in_it(
        self, old: Parts, conf: Path, segnode: Segnode, tmp_path: Path
    ) -> None:
        trail = str(old.settings.node.audit_folder)
        words = segnode("backup", str(tmp_path / "a")).stdout
        assert f"not in it: the audit trail, one file a message in {trail}" in words
        told = json.loads(segnode("backup", str(tmp_path / "b"), "--json").stdout)
        assert told["audit_trail"] == trail
        node = conf / "node.yaml"
        node.write_text(node.read_text().replace("data_folder: data", "data_folder: new") + "audit: {mode: off}\n")
        assert "audit trail" not in segnode("restore", told["backup"]).stdout, "none is kept here"
        assert "audit trail" not in segnode("backup", str(tmp_path / "c")).stdout

    def test_is_audited_as_an_export_and_its_way_back_as_an_import(
        self, old: Parts, conf: Path, segnode: Segnode, audited: Callable[[], list[Element]], tmp_path: Path
    ) -> None:
        segnode("backup", str(tmp_path / "index"))
        place = json.loads(segnode("backup", str(tmp_path / "whole"), "--with-files", "--json").stdout)["backup"]
        index, whole = (sentence_of(read_message(tostring(root))) for root in audited())
        name = person().name
        assert index.startswith(f"{name} exported the database of 1 studies without their files to file:///")
        assert whole == f"{name} exported the database of 1 studies with 1 of 1 files to {Path(place).as_uri()}"
        node = conf / "node.yaml"
        node.write_text(node.read_text().replace("data_folder: data", "data_folder: new"))
        segnode("restore", place)
        (back,) = audit_spool(load(conf)).waiting()
        told = sentence_of(read_message(back.path.read_bytes()))
        assert told == f"{name} imported the database of 1 studies with 1 of 1 files from {Path(place).as_uri()}"


def test_status_says_that_the_disk_is_full(old: Parts, conf: Path, segnode: Segnode) -> None:
    with (conf / "node.yaml").open("a") as file:
        file.write(f"keep_free_bytes: {2**60}\n")
    first, second, *_ = json.loads(segnode("status", "--json").stdout)["needs_a_person"]
    assert "new instances are refused with 0xA700" in first
    assert "`segnode retention --short --apply` frees" in second
