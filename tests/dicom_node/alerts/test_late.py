"""A study without a result in time is told once, and once when it is over; dicom_node.alerts.channels."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dicom_node.alerts.channels import channels_for
from dicom_node.alerts.late import Late
from dicom_node.assembly import Parts
from dicom_node.settings.alerts import AlertSettings
from storage.lifecycle import JobState, NoticeState

HOOK = {"url": "http://127.0.0.1/hook", "secret": {"environment": "HOOK"}}
MAIL = {"host": "mail", "sender": "a@b", "recipients": ["c@d"]}
AT = 10_000.0


@pytest.fixture
def late(story: Parts) -> Late:
    """Looks at the story, of which one job waits, one has failed and one delivery was given up."""
    asked = {"goal_minutes": 60, "mail": MAIL, "webhooks": {"ops": HOOK, "deaf": HOOK | {"events": ["result"]}}}
    return Late(story.database, AlertSettings.model_validate(asked), "SEGNODE", "https://node")


def told(parts: Parts) -> list[tuple[str, dict[str, Any]]]:
    """Channel and payload of every notice that waits; each is taken."""
    found = []
    with parts.database.transaction() as tx:
        while notice := tx.notices.claim("test", 1e9, 60.0):
            tx.notices.end(notice.notice_id, "test", NoticeState.SENT, 1e9)
            found.append((notice.channel, notice.payload))
    return found


def test_each_channel_is_told_once_and_no_patient_is_named(late: Late, story: Parts) -> None:
    assert [late.step(AT), late.step(AT + 30)] == [True, False]
    found = told(story)
    assert [channel for channel, _ in found] == ["mail", "webhook:ops"]
    payload = found[0][1]
    assert (payload["event"], payload["count"]) == ("late", 1)
    (line,) = payload["studies"]
    assert line["link"] == "https://node/studies/1.2.3"
    assert "its job failed" in line["why"]
    assert "delivery to dead was given up" in line["why"]
    text = json.dumps([one for _, one in found])
    assert not any(word in text for word in ("Doe", "P-17", "19700101", "a reason to be", "given up after 12"))
    with story.database.reading() as tx:
        assert tx.journal.of_study("1.2.3")[-1].event == "late"


def test_before_the_time_is_over_nobody_is(late: Late, story: Parts) -> None:
    assert not late.step(200.0 + 3500)
    assert told(story) == []


def test_what_is_old_when_it_is_first_looked_at_is_no_news(late: Late) -> None:
    assert not late.step(9 * 86400.0)


def test_what_somebody_asks_for_again_is_news_however_old_its_study_is(late: Late, story: Parts) -> None:
    """A study of last month that is run again, and whose job waits for a GPU that is not there."""
    asked_at = 30 * 86400.0
    with story.database.transaction() as tx:
        (failed,) = [job for job in tx.jobs.of_study("1.2.3") if job.state is JobState.FAILED]
        tx.jobs.retry(failed.job_id, asked_at)
    assert not late.step(asked_at + 3500)
    assert [late.step(asked_at + 3601), late.step(asked_at + 3700)] == [True, False]
    (_, payload), _ = told(story)
    assert [one["study"] for one in payload["studies"]] == ["1.2.3"]


def test_the_longest_goal_that_may_be_set_is_told_too(story: Parts) -> None:
    settings = AlertSettings.model_validate({"goal_minutes": 7 * 24 * 60, "mail": MAIL})
    assert Late(story.database, settings, "SEGNODE", "https://node").step(8 * 86400.0)
    assert [channel for channel, _ in told(story)] == ["mail"]


def test_when_it_is_over_that_is_told_once(late: Late, story: Parts) -> None:
    late.step(AT)
    told(story)
    with story.database.transaction() as tx:
        tx.jobs.claim("me", AT, 60.0)
        tx.jobs.finish("job-3", "me", JobState.REFUSED, AT)
        for job in tx.jobs.of_study("1.2.3"):
            tx.jobs.supersede(job.job_id, AT, "for the test")
            tx.deliveries.supersede_unsent(job.job_id, AT)
    assert [late.step(AT + 60), late.step(AT + 90)] == [True, False]
    assert [(channel, one["event"]) for channel, one in told(story)] == [
        ("mail", "resolved"), ("webhook:ops", "resolved")]


def test_mail_is_for_late_studies_alone(late: Late) -> None:
    assert channels_for("late", late.settings) == ["mail", "webhook:ops"]
    assert channels_for("result", late.settings) == ["webhook:ops", "webhook:deaf"]
