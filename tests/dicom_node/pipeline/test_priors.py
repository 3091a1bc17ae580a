"""Which earlier result a new one is compared with: the patient's own, the newest, and never somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dicom_node.pipeline.priors import Priors, contradictions, priors_of, taken_at
from storage.arriving.recalls import Prior as Recalled
from storage.database import Database
from storage.lifecycle import JobMark, JobState, RecallState, StudyState
from storage.records import Instance, InstanceKind, Job, ResultObject, StoredFile

ADA = {"PatientID": "A 1", "PatientBirthDate": "18151210", "PatientSex": "F", "IssuerOfPatientID": "Ward"}
NOW = ADA | {"StudyDate": "20260709", "StudyTime": "101500.25"}
BEFORE = ADA | {"StudyDate": "20260410", "StudyTime": "093000"}
FIRST = ADA | {"StudyDate": "20260110"}
INPUTS = {"CT": {"series": "1.5", "instances": ["1.5.1", "1.5.2"]}}


@pytest.fixture
def study(database: Database) -> Callable[..., None]:
    """`study(uid, header)` puts a study with one image there."""

    def add(uid: str, header: dict[str, Any], **changes: Any) -> None:
        file = StoredFile(f"{uid}/x", 1, uid)
        image = Instance(f"{uid}.1.1", "1.2.840.10008.5.1.4.1.1.2", f"{uid}.1", uid, "1.2.840.10008.1.2.1",
                         InstanceKind.IMAGE, file, 1.0, "", {})  # fmt: skip
        with database.transaction() as tx:
            tx.studies.add_instance(image, header)

    return add


@pytest.fixture
def finished(database: Database) -> Callable[..., None]:
    """`finished(study, job)` gives a study a job that found something, with its SEG in two forms."""

    def add(uid: str, job: str, *, seg: bool = True, **changes: Any) -> None:
        summary = {"findings": [{"label": "Liver tumour 1"}]} if seg else {}
        values: dict[str, Any] = {
            "job_id": job, "study_instance_uid": uid, "generation": 1, "route": "r", "task": "liver_tumour",
            "model": "m", "state": JobState.DONE, "priority": 0, "inputs": INPUTS, "parameters": {}, "created_at": 1.0,
            "summary": summary,
        } | changes  # fmt: skip
        with database.transaction() as tx:
            tx.jobs.add(Job(**values))
            for number, variant in enumerate(("", "b") if seg else ()):
                sop = f"{uid}.9.{number}"
                file = StoredFile(f"{sop}/x", 1, sop)
                tx.results.add(ResultObject(sop, "1.2", f"{uid}.9", job, "seg", file, variant=variant))

    return add


def priors(database: Database, uid: str = "1.1") -> Priors:
    with database.reading() as tx:
        return priors_of(tx, tx.studies.get(uid))


def chosen(database: Database, uid: str = "1.1", task: str = "liver_tumour") -> dict[str, Any] | None:
    with database.reading() as tx:
        return priors_of(tx, tx.studies.get(uid)).of_task(tx, task)


def test_the_newest_earlier_result_is_named_whole(database: Database, study: Any, finished: Any) -> None:
    for uid, header in (("1.1", NOW), ("1.2", FIRST), ("1.3", BEFORE)):
        study(uid, header)
    finished("1.2", "a")
    finished("1.3", "b")
    assert chosen(database) == {
        "study": "1.3", "job": "b", "segs": ["1.3.9.0"], "series": "1.5", "instances": ["1.5.1", "1.5.2"],
        "taken": "2026-04-10", "current_taken": "2026-07-09",
    }  # fmt: skip


def test_a_study_without_a_usable_result_is_passed_over(database: Database, study: Any, finished: Any) -> None:
    for uid, header in (("1.1", NOW), ("1.2", FIRST), ("1.3", BEFORE)):
        study(uid, header)
    finished("1.2", "a")
    finished("1.3", "failed", state=JobState.FAILED)
    finished("1.3", "lung", task="lung_nodule")
    finished("1.3", "withdrawn", mark=JobMark.WITHDRAWN)
    finished("1.3", "note", rejects="a")
    assert (chosen(database) or {})["study"] == "1.2"


def test_a_result_without_findings_is_a_prior_too(database: Database, study: Any, finished: Any) -> None:
    study("1.1", NOW)
    study("1.2", BEFORE)
    finished("1.2", "a", seg=False)
    assert (chosen(database) or {})["segs"] == []


def test_a_result_whose_segmentation_was_removed_is_none(database: Database, study: Any, finished: Any) -> None:
    study("1.1", NOW)
    study("1.2", BEFORE)
    finished("1.2", "a")
    with database.transaction() as tx:
        tx.studies.move("1.2", StudyState.COMPLETE, 2.0)
        tx.studies.move("1.2", StudyState.DISPATCHED, 2.0)
        tx.removals.remove("1.2", 3.0)
    assert chosen(database) is None
    assert priors(database).earlier == (), "a removed study is nobody's any more"


BROUGHT = Recalled("1.4", "1.4.9", "1.4.1", ("1.4.1.1",), "liver_tumour", "20260501", "20260501120000")


@pytest.fixture
def bring(database: Database) -> Callable[..., None]:
    """`bring(prior, …)` ends the recall of the study with what an archive brought."""

    def end(*found: Recalled) -> None:
        with database.transaction() as tx:
            tx.recalls.want("1.1", "pacs", {}, 1.0, 60.0)
            assert tx.recalls.claim("me", 2.0, 60.0)
            tx.recalls.end("1.1", "me", RecallState.DONE, 3.0, "", found)

    return end


def test_what_an_archive_brought_is_a_prior_where_it_is_newer(
    database: Database, study: Any, finished: Any, bring: Any
) -> None:
    study("1.1", NOW)
    study("1.3", BEFORE)
    finished("1.3", "b")
    older = replace(BROUGHT, seg="1.4.8", made="20260430120000")
    bring(BROUGHT, replace(BROUGHT, seg="1.4.10"), older, replace(BROUGHT, task="lung_nodule", taken="20260601"))
    assert chosen(database) == {
        "study": "1.4", "job": None, "segs": ["1.4.9", "1.4.10"], "series": "1.4.1", "instances": ["1.4.1.1"],
        "taken": "2026-05-01", "current_taken": "2026-07-09",
    }  # fmt: skip


def test_what_was_made_here_goes_before_the_same_days_from_an_archive(
    database: Database, study: Any, finished: Any, bring: Any
) -> None:
    study("1.1", NOW)
    study("1.3", BEFORE)
    finished("1.3", "b")
    bring(replace(BROUGHT, taken="20260410"))
    assert (chosen(database) or {})["job"] == "b"


def test_a_brought_result_that_was_made_here_knows_its_job(
    database: Database, study: Any, finished: Any, bring: Any
) -> None:
    study("1.1", NOW)
    study("1.3", BEFORE)
    finished("1.3", "b", state=JobState.SUPERSEDED)
    bring(replace(BROUGHT, seg="1.3.9.0"))
    assert (chosen(database) or {})["job"] == "b"


def test_a_scan_of_the_same_day_hides_no_prior(database: Database, study: Any, finished: Any, bring: Any) -> None:
    """What the unenhanced scan does not show would be new an hour later, and progressive disease by RECIST."""
    unenhanced = NOW | {"StudyTime": "091500"}
    for uid, header in (("1.1", NOW), ("1.2", unenhanced), ("1.3", BEFORE)):
        study(uid, header)
    finished("1.2", "a", seg=False)
    finished("1.3", "b")
    bring(replace(BROUGHT, taken=NOW["StudyDate"]), replace(BROUGHT, taken=FIRST["StudyDate"]))
    assert (chosen(database) or {})["study"] == "1.3"
    assert (chosen(database, uid="1.2") or {})["study"] == "1.3", "both have lesions by the same names"


@pytest.mark.parametrize(
    "later", [NOW, NOW | {"StudyTime": "0915"}, NOW | {"StudyDate": "20260710"}, ADA, ADA | {"StudyDate": "2026-01-10"}]
)
def test_what_is_not_of_an_earlier_day_is_no_prior(later: dict[str, str], database: Database, study: Any) -> None:
    study("1.1", NOW)
    study("1.2", later)
    assert priors(database).earlier == ()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"PatientBirthDate": "18151211"}, "birth date"),
        ({"PatientBirthDate": ""}, "birth date (none)"),
        ({"PatientSex": "M"}, "sex"),
        ({"IssuerOfPatientID": "Clinic"}, "issuer of the ID"),
        ({"PatientBirthDate": "18151211", "PatientSex": "M"}, "birth date and sex"),
    ],
)
def test_another_patient_of_the_same_id_is_never_used_and_flagged(
    other: dict[str, str], said: str, database: Database, study: Any, finished: Any
) -> None:
    study("1.1", NOW)
    study("1.2", BEFORE | other)
    finished("1.2", "a")
    assert chosen(database) is None
    (remark,) = priors(database).remarks
    assert said in remark
    assert not any(value in remark for value in ADA.values()), "it names no patient"


def test_what_one_side_leaves_open_contradicts_nothing(database: Database) -> None:
    bare = {"PatientID": "A 1", "PatientBirthDate": "18151210"}
    assert contradictions(ADA, bare) == contradictions(bare, ADA) == []


@pytest.mark.parametrize("unknown", ["PatientID", "PatientBirthDate", "StudyDate"])
def test_a_study_that_names_too_little_has_no_priors(unknown: str, database: Database, study: Any) -> None:
    study("1.1", NOW | {unknown: ""})
    study("1.2", BEFORE | ({unknown: ""} if unknown != "StudyDate" else {}))
    assert priors(database) == Priors()


@pytest.mark.parametrize(
    ("date", "time", "at"),
    [
        ("20260709", "101500.123456", "2026-07-09T10:15:00"),
        ("20260709", "10", "2026-07-09T10:00:00"),
        ("20260709", "", "2026-07-09T00:00:00"),
        ("20260709", "ten", "2026-07-09T00:00:00"),
        ("20261309", "10", None),
        ("", "101500", None),
    ],
)
def test_dates_are_read_as_they_are_written(date: str, time: str, at: str | None) -> None:
    found = taken_at({"StudyDate": date, "StudyTime": time})
    assert (found.isoformat() if found else None) == at
