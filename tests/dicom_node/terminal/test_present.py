"""Views on a terminal: whatever strangers wrote, it is shown as text; scripts get JSON."""

from __future__ import annotations

import json

import pytest

from dicom_node.assembly import Parts
from dicom_node.terminal import present
from dicom_node.views.node import explain_view, status_view, study_line, study_view
from storage.arriving.rejections import Rejection
from storage.working.reviews import Reviewed, ReviewKind


def test_json_is_json(story: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    with story.database.reading() as tx:
        view = explain_view(tx, "1.2.3", 1000.0)
    present.as_json(view)
    assert json.loads(capsys.readouterr().out) == view


def test_an_explanation_shows_everything(story: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    with story.database.reading() as tx:
        present.show_explain(explain_view(tx, "1.2.3", 1000.0))
    shown = capsys.readouterr().out
    for words in (
        "1.2.3 DISPATCHED, generation 1", "from [/CT1]; 1 images", "[CT]", "[2]", "[/bold]Liver",
        "a reason to be refused", "Liver: 12.50 ml", "whole: 12.50", "note: CT: [one] note", "read 1.5 s",
        "seg: 2.25.7", "to held: HELD after 0 attempts it accepts [clinical]", "slices are [axial]",
        "done: 2 findings, 1 objects",
    ):  # fmt: skip
        assert words in shown


def test_a_review_is_shown(story: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    summary = {
        "structures": [{"structure": "Liver tumour", "dice": 0.6154, "ml": 5.4, "reviewed_ml": 6.3}],
        "lesions": {"added": 1, "removed": 2, "changed": 0, "same": 0}, "not_judged": ["Liver"], "unknown": ["[9] SCT"],
        "assessment": "modified",
    }  # fmt: skip
    with story.database.transaction() as tx:
        tx.reviews.add(Reviewed("1.2.9.1", "job-0", "1.2.3", 400.0, summary))
        tx.reviews.add(Reviewed("1.2.9.2", "job-0", "1.2.3", 500.0, summary))
        tx.rejections.add([Rejection("2.25.7", "2.25.9", "1.2.3", "113001", 600.0)])
        present.show_explain(explain_view(tx, "1.2.3", 1000.0))
        present.show_status(status_view(tx, 1000.0, 0))
    shown = capsys.readouterr().out
    for words in (
        "by 1.2.9.1 (a newer one counts)", "by 1.2.9.2\n", "Liver tumour: Dice 0.615; 5.40 ml, corrected 6.30 ml",
        "lesions: 1 added, 2 removed", "not judged: Liver", "unknown type: [9] SCT", "reviewed by persons: 1",
        "by 1.2.9.2 (a newer one counts)", " for quality by 2.25.9\n",
    ):  # fmt: skip
        assert words in shown


def test_a_reviewed_report_is_shown_in_a_sentence(story: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [{"finding": "Nodule 1", "quantity": "[Long] Axis", "unit": "mm", "value": 12.1, "reviewed_value": 14.0}]
    summary = {"findings": {"kept": 2, "remeasured": 1}, "remeasured": lines, "assessment": "modified"}
    with story.database.transaction() as tx:
        for number in (1, 2):
            tx.reviews.add(Reviewed(f"1.2.9.{number}", "job-0", "1.2.3", 400.0 + number, summary, ReviewKind.SR))
        tx.reviews.add(Reviewed("1.2.9.3", "job-0", "1.2.3", 500.0, summary, ReviewKind.SR))
        tx.rejections.add([Rejection("1.2.9.3", "2.25.9", "1.2.3", "113001", 600.0)])
        present.show_study(study_view(tx, "1.2.3", 1000.0))
    shown = " ".join(capsys.readouterr().out.split())
    words = "is reviewed: 2 findings kept, 1 remeasured ([Long] Axis 12.1 -> 14.0 mm); the result is modified"
    assert f"report 1.2.9.1 {words} (a newer one counts)" in shown
    assert f"report 1.2.9.2 {words} " in shown
    assert f"report 1.2.9.3 {words} (a note has rejected it)" in shown
    assert "modified 1970" in shown


def test_a_strangers_text_does_not_reach_the_terminal_as_control(
    story: Parts, capsys: pytest.CaptureFixture[str]
) -> None:
    with story.database.reading() as tx:
        present.show_explain(explain_view(tx, "1.2.3", 1000.0))
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("written", "shown"), [("plain", "plain"), ("[red]", r"\[red]"), ("a\x1b[2Jb\nc", "a [2Jb c"), (7, "7")]
)
def test_texts_are_texts(written: object, shown: str) -> None:
    assert present.said(written) == shown


def test_a_list_of_studies(story: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    with story.database.transaction() as tx:
        tx.jobs.claim("me", 1000.0, 60.0)
        tx.jobs.renew("job-3", "me", 1000.0, 60.0, progress=0.4, step="network")
        line = study_line(
            tx.studies.get("1.2.3"), tx.jobs.of_study("1.2.3"), tx.deliveries.of_study("1.2.3"), 1001.0
        )
    present.show_studies([line])
    shown = capsys.readouterr().out
    assert "liver_tumour RUNNING network 40 %" in shown
    assert "dead DEAD" in shown
    present.show_studies([])
    assert "No study has arrived." in capsys.readouterr().out


def test_status(story: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    with story.database.transaction() as tx:
        present.show_status(status_view(tx, 1000.0, 5_000_000_000))
        assert "No role is running here." in capsys.readouterr().out
        tx.processes.beat("pipeline", 17, "host", 900.0, 980.0, ["sqlalchemy"], {})
        present.show_status(status_view(tx, 1000.0, 5_000_000_000))
    shown = capsys.readouterr().out
    for words in ("! 1 job failed", "silent", "1 DONE, 1 FAILED", "free disk: 5.0 GB"):
        assert words in shown


def test_what_needs_a_person_is_said_as_it_is(story: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    with story.database.reading() as tx:
        view = status_view(tx, 1000.0, 0, {"folder": "/srv/[a]/audit", "waiting": 0})
    view["needs_a_person"] = ["node.yaml:3: ports = [1, 2]: wrong", "routes.yaml:5: matches = '[/a-z]+': wrong"]
    present.show_status(view)
    shown = capsys.readouterr().out
    assert "! node.yaml:3: ports = [1, 2]: wrong\n! routes.yaml:5: matches = '[/a-z]+': wrong\n" in shown
    assert "audit messages in /srv/[a]/audit: 0" in shown


def test_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    present.show_check(["node.yaml:3: port"], ["pacs: [no] answer"], ["ward: takes [no] SEG"], ["by the way"])
    assert capsys.readouterr().out.splitlines() == [
        "wrong node.yaml:3: port", "silent pacs: [no] answer", "unfit  ward: takes [no] SEG", "note  by the way",
    ]  # fmt: skip
    present.show_check(["node.yaml:100: port"], [], [], [])
    assert capsys.readouterr().out == "wrong node.yaml:100: port\n"
    present.show_check([], [], [], [])
    assert capsys.readouterr().out == "The configuration holds.\n"


def test_any_list_of_records(capsys: pytest.CaptureFixture[str]) -> None:
    present.show_lines([{"model": "[net]", "dice_mean": 0.87654}])
    shown = capsys.readouterr().out
    assert "dice mean" in shown
    assert "[net]" in shown
    assert "0.877" in shown
    present.show_lines([])
    assert capsys.readouterr().out == "nothing\n"


def test_a_bar_learns_its_total_once_it_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as if somebody looked
    with present.progress_bar("test cases") as advance:
        advance(3)
    assert "1/3" in capsys.readouterr().err
