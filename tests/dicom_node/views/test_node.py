"""What a person is told, as data: complete, JSON, and without patient data."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from dicom_node.assembly import Parts
from dicom_node.views.node import explain_view, status_view, study_line, study_view
from storage.arriving.recalls import Prior
from storage.arriving.rejections import Rejection
from storage.errors import NotFound
from storage.lifecycle import JobMark, RecallState
from storage.records import FetchPurpose, Reference, Tally, Wanted
from storage.working.reviews import Reviewed, ReviewKind

NOW = 1000.0


@pytest.fixture
def explained(story: Parts) -> dict[str, Any]:
    with story.database.reading() as tx:
        return explain_view(tx, "1.2.3", NOW)


@pytest.fixture
def status(story: Parts) -> dict[str, Any]:
    with story.database.reading() as tx:
        return status_view(tx, NOW, 5_000_000_000)


def test_a_study_has_its_series_results_and_senders(explained: dict[str, Any]) -> None:
    assert (explained["study"], explained["state"], explained["images"]) == ("1.2.3", "DISPATCHED", 1)
    assert explained["from"] == ["[/CT1]"]
    assert [series["series"] for series in explained["series"]] == ["1.2.3.1"]
    assert [(r["kind"], r["sop_instance_uid"], r["job"]) for r in explained["results"]] == [("seg", "2.25.7", "job-0")]


def test_a_job_says_how_it_ended_and_why(explained: dict[str, Any]) -> None:
    jobs = {job["job"]: job for job in explained["jobs"]}
    assert [job["state"] for job in jobs.values()] == ["DONE", "FAILED", "REFUSED", "PENDING"]
    assert jobs["job-2"]["reason"] == "a reason to be refused"
    assert jobs["job-0"]["findings"] == [{"label": "Liver", "ml": 12.5, "voxels": 9}]
    assert (jobs["job-0"]["seconds"], jobs["job-0"]["device"]) == ({"read": 1.5}, "cpu")


def test_a_leased_job_is_running_and_how_far(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.jobs.claim("me", NOW, 60.0)
        tx.jobs.renew("job-3", "me", NOW, 60.0, progress=0.4, step="network")
        job = study_view(tx, "1.2.3", NOW + 59)["jobs"][-1]
        assert (job["state"], job["progress"], job["step"]) == ("RUNNING", 0.4, "network")
        later = study_view(tx, "1.2.3", NOW + 60)["jobs"][-1]
        assert (later["state"], later["progress"], later["step"]) == ("PENDING", None, "")


def test_a_delivery_says_to_whom_and_why_not(explained: dict[str, Any]) -> None:
    deliveries = {d["destination"]: d for d in explained["deliveries"]}
    assert {name: d["state"] for name, d in deliveries.items()} == {"held": "HELD", "dead": "DEAD", "sent": "SENT"}
    assert deliveries["dead"]["reason"] == "given up after 12 attempts"
    assert deliveries["sent"]["statuses"] == {"2.25.7": "0x0000"}


def test_an_explanation_has_every_verdict_and_the_history_apart(explained: dict[str, Any]) -> None:
    (verdict,) = explained["verdicts"]
    assert (verdict["route"], verdict["series"], verdict["ok"]) == ("everything", "1.2.3.1", True)
    assert verdict["reason"] == "slices are [axial]"
    assert [entry["event"] for entry in explained["history"]] == ["done"]
    assert explained["history"][0]["revision"] == 1


def test_an_unknown_study_is_told(story: Parts) -> None:
    with story.database.reading() as tx, pytest.raises(NotFound):
        study_view(tx, "1.9.9", NOW)


def test_status_counts_and_names_what_waits_for_a_person(status: dict[str, Any]) -> None:
    assert status["studies"] == {"DISPATCHED": 1, "NOT_ROUTED": 1}
    assert status["jobs"] == {"DONE": 1, "FAILED": 1, "REFUSED": 1, "PENDING": 1}
    assert status["free_bytes"] == 5_000_000_000
    assert status["needs_a_person"] == [
        "1 job failed: `segnode explain 1.2.3` says why the newest did, `segnode retry --all` runs them again",
        "1 delivery given up: `segnode deliveries --dead` says why, `segnode retry --dead` sends them again",
        "1 delivery held: `segnode check` says why, `segnode retry --all --release` lets them go",
        "1 study not routed: `segnode explain 1.2.4` says why for the newest",
    ]


def test_all_well_needs_nobody(parts: Parts) -> None:
    with parts.database.reading() as tx:
        assert status_view(tx, NOW, 0)["needs_a_person"] == []


def test_tls_files_that_are_wrong_or_soon_of_no_use_need_a_person_and_are_told_once(parts: Parts) -> None:
    wrong = {"certificate": "", "expires_at": 0.0, "trouble": "key /k.pem is not there"}
    soon = {"certificate": "segnode", "expires_at": NOW + 3 * 86400, "trouble": ""}
    late = {"certificate": "far", "expires_at": NOW + 300 * 86400, "trouble": ""}
    gone = {"certificate": "old", "expires_at": NOW - 1, "trouble": ""}
    with parts.database.transaction() as tx:
        tx.processes.beat("receive", 17, "host", NOW, NOW, [], {"tls": [soon, late, gone]})
        tx.processes.beat("pipeline", 18, "host", NOW, NOW, [], {"tls": [wrong, soon]})
        lines = status_view(tx, NOW, 0)["needs_a_person"]
    assert sorted(lines) == [
        "TLS files are wrong, those of before stay in use where there were any: key /k.pem is not there",
        "our TLS certificate old has expired: replace its file, no restart is needed",
        "our TLS certificate segnode expires in 3 days: replace its file, no restart is needed",
    ]


def test_why_jobs_wait_for_what_they_run_on_needs_a_person(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        tx.processes.beat("pipeline", 18, "host", NOW, NOW, [], {"executor": {"trouble": "no Ray cluster answers"}})
        tx.processes.beat("web", 19, "host", NOW, NOW, [], {"executor": {"trouble": ""}})
        assert status_view(tx, NOW, 0)["needs_a_person"] == ["jobs wait: no Ray cluster answers"]


@pytest.mark.parametrize(("silent_s", "alive"), [(9.0, True), (11.0, False)])
def test_a_role_is_alive_while_its_beat_is_young(parts: Parts, silent_s: float, alive: bool) -> None:
    with parts.database.transaction() as tx:
        tx.processes.beat("pipeline", 17, "host", NOW - 100.0, NOW, ["sqlalchemy"], {"workers": {"cpu": 18}})
        (role,) = status_view(tx, NOW + silent_s, 0)["roles"]
    assert (role["role"], role["alive"], role["up_s"]) == ("pipeline", alive, 100.0 + silent_s)
    assert (role["modules"], role["workers"]) == (["sqlalchemy"], {"cpu": 18})


def test_no_view_names_the_patient(story: Parts, explained: dict[str, Any], status: dict[str, Any]) -> None:
    with story.database.reading() as tx:
        line = study_line(tx.studies.get("1.2.3"), tx.jobs.of_study("1.2.3"), [], time.time())
        assert tx.studies.get("1.2.3").header["PatientID"] == "P-17", "the node knows him"
    text = json.dumps([explained, status, line])
    assert not any(word in text for word in ("Doe", "P-17", "19700101"))


def test_a_delivery_says_whether_it_is_committed(story: Parts) -> None:
    with story.database.transaction() as tx:
        sent = next(d for d in tx.deliveries.of_study("1.2.3") if d.destination == "sent")
        seg = Reference("1.2.840.10008.5.1.4.1.1.66.4", "2.25.7")
        uid = tx.commitments.add("sent", [seg], 133.0, due_at=138.0, study_uid="1.2.3", delivery_id=sent.delivery_id)
        view = study_view(tx, "1.2.3", NOW)
    shown = {d["destination"]: d["commitment"] for d in view["deliveries"]}
    assert shown == {
        "held": None,
        "dead": None,
        "sent": {"state": "PENDING", "transaction": uid, "asked": 0, "next_attempt_at": 138.0, "reason": ""},
    }
    assert view["barred_until"] is None, "until that is over, whenever that may be"
    json.dumps(view)


def test_what_nobody_was_promised_may_go(story: Parts) -> None:
    with story.database.reading() as tx:
        assert study_view(tx, "1.2.3", NOW)["barred_until"] == 0.0


def test_what_is_stale_is_counted_and_shown_with_its_way_out(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.jobs.mark("job-0", JobMark.STALE, "corrected since")
        tx.rejections.add([Rejection("1.2.3.1.1", "2.25.9", "1.2.3", "113001", 500.0)])
        view = study_view(tx, "1.2.3", NOW)
        status = status_view(tx, NOW, 0)
    assert (view["jobs"][0]["mark"], view["jobs"][0]["reason"]) == ("stale", "corrected since")
    assert (view["corrected"], view["conflicts"]) == (0, 0)
    assert view["rejected"] == [
        {"sop_instance_uid": "1.2.3.1.1", "note": "2.25.9", "title": "113001", "at": 500.0}
    ]
    assert status["marks"] == {"stale": 1}
    assert "1 result stale since a header was corrected: `segnode reissue 1.2.3`" in " ".join(status["needs_a_person"])


def test_reviews_are_shown_and_the_newest_of_a_job_counts(story: Parts) -> None:
    with story.database.transaction() as tx:
        for number, dice in enumerate((0.5, 0.75)):
            tx.reviews.add(Reviewed(f"1.2.9.{number}", "job-0", "1.2.3", 400.0 + number, {"dice": dice}))
        view, status = study_view(tx, "1.2.3", NOW), status_view(tx, NOW, 0)
    assert [(one["counts"], one["dice"], one["job"]) for one in view["reviews"]] == [
        (False, 0.5, "job-0"), (True, 0.75, "job-0")]  # fmt: skip
    assert status["reviewed_jobs"] == 1
    json.dumps(view)


def test_a_review_that_a_note_took_back_counts_no_more(story: Parts) -> None:
    with story.database.transaction() as tx:
        for number in (1, 2):
            tx.reviews.add(Reviewed(f"1.2.9.{number}", "job-0", "1.2.3", 400.0 + number))
        tx.rejections.add([Rejection("1.2.9.2", "1.2.9.7", "1.2.3", "113001", 500.0)])
        view = study_view(tx, "1.2.3", NOW)
    assert [(one["counts"], one["taken_back"]) for one in view["reviews"]] == [(True, False), (False, True)]


def test_a_report_and_a_segmentation_both_count(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.reviews.add(Reviewed("1.2.9.1", "job-0", "1.2.3", 400.0, {"dice": 0.5}))
        for number in (2, 3):
            found = {"findings": {"kept": number}}
            tx.reviews.add(Reviewed(f"1.2.9.{number}", "job-0", "1.2.3", 400.0 + number, found, ReviewKind.SR))
        view = study_view(tx, "1.2.3", NOW)
    assert [(one["kind"], one["counts"], one["sop_instance_uid"]) for one in view["reviews"]] == [
        ("seg", True, "1.2.9.1"), ("sr", False, "1.2.9.2"), ("sr", True, "1.2.9.3")]  # fmt: skip
    json.dumps(view)


def test_audit_messages_that_wait_or_are_gone_need_a_person(parts: Parts) -> None:
    detail = {"audit": {"trouble": "cannot be written: full", "lost": 2}, "audit_sender": {"trouble": "refused"}}
    with parts.database.transaction() as tx:
        tx.processes.beat("clock", 17, "host", NOW, NOW, (), detail)
    with parts.database.reading() as tx:
        view = status_view(tx, NOW, 0, {"folder": "/data/audit", "waiting": 3, "dropped": 1})
    assert view["audit"]["waiting"] == 3
    assert view["needs_a_person"] == [
        "audit messages of clock wait: cannot be written: full",
        "audit messages of clock wait: refused",
        "2 audit messages of clock lost since its start",
        "1 audit message dropped from the full spool: remove /data/audit/dropped when you know why",
    ]


def test_a_machine_whose_clock_is_not_the_databases_needs_a_person_once(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        for pid, host, ahead in ((1, "a", 12.3), (2, "a", 12.4), (3, "b", -7.0), (4, "c", 1.9)):
            tx.processes.beat("receive", pid, host, NOW, NOW, (), {"clock_ahead_s": ahead})
    with parts.database.reading() as tx:
        assert status_view(tx, NOW, 0)["needs_a_person"] == [
            "the clock of a is 12 s ahead of the database's: have both set by the network (NTP)",
            "the clock of b is 7 s behind the database's: have both set by the network (NTP)",
        ]


def test_what_was_found_of_earlier_is_shown(story: Parts) -> None:
    prior = Prior("1.2.9", "2.25.9", "1.2.9.1", ("1.2.9.1.1", "1.2.9.1.2"), "liver_tumour", "20250101")
    with story.database.transaction() as tx:
        tx.recalls.want("1.2.3", "pacs", {}, 0.0, 60.0)
        tx.recalls.claim("me", 1.0, 60.0)
        tx.recalls.end("1.2.3", "me", RecallState.DONE, 2.0, "1 earlier result found at pacs", [prior])
        shown = study_view(tx, "1.2.3", NOW)["recall"]
        assert study_view(tx, "1.2.4", NOW)["recall"] is None
    assert (shown["peer"], shown["state"], shown["reason"]) == ("pacs", "DONE", "1 earlier result found at pacs")
    assert shown["found"] == [{"study": "1.2.9", "seg": "2.25.9", "task": "liver_tumour", "images": 2}]


def test_what_is_asked_of_an_archive_is_shown_with_what_it_told(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.fetches.want(Wanted("1.2.3", "pacs", FetchPurpose.PROCESS, 60.0, 0.0), 0.0, over=())
        tx.fetches.claim("me", 1.0, 60.0, FetchPurpose.PROCESS)
        tx.fetches.postpone("1.2.3", "me", 5.0, "3 of 40 images are not here", Tally(40, 3, 1))
        view, status = study_view(tx, "1.2.3", NOW), status_view(tx, NOW, 5_000_000_000)
        assert study_view(tx, "1.2.4", NOW)["fetch"] is None
    shown = view["fetch"]
    assert (shown["peer"], shown["purpose"], shown["state"]) == ("pacs", "process", "PENDING")
    assert (shown["expected"], shown["missing"], shown["fetched"], shown["attempts"]) == (40, 3, 1, 1)
    assert shown["reason"] == "3 of 40 images are not here"
    assert (view["incomplete"], status["fetches"]) == ("", {"PENDING": 1})
