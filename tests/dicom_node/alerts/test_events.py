"""Results and failures reach webhooks from when they are first asked for, each once."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_node.alerts.events import Events
from dicom_node.assembly import Parts
from dicom_node.settings.alerts import AlertSettings
from storage.lifecycle import NoticeState

HOOK = {"url": "http://127.0.0.1/hook", "secret": {"environment": "HOOK"}}


def events(parts: Parts, **hooks: dict[str, Any]) -> Events:
    return Events(parts.database, AlertSettings.model_validate({"webhooks": hooks}), "SEGNODE", "https://node")


def happens(parts: Parts, at: float, *names: str) -> None:
    with parts.database.transaction() as tx:
        for name in names:
            tx.journal.add(at, name, "Doe^Jane's", study="1.2.3", job="job-0")


def told(parts: Parts) -> list[tuple[str, str, str]]:
    found = []
    with parts.database.transaction() as tx:
        while notice := tx.notices.claim("test", 1e9, 60.0):
            tx.notices.end(notice.notice_id, "test", NoticeState.SENT, 1e9)
            assert "Doe" not in str(notice.payload)
            found.append((notice.channel, notice.payload["event"], notice.payload["what"]))
    return found


def test_what_happens_from_now_on_is_told_once(story: Parts) -> None:
    follower = events(story, ops=HOOK, deaf=HOOK | {"events": ["failed"]})
    follower.step(500.0)
    assert told(story) == [], "what was before is no news"
    happens(story, 501.0, "done", "started", "refused", "delivery dead")
    assert follower.step(502.0)
    assert told(story) == [
        ("webhook:ops", "result", "done"), ("webhook:ops", "failed", "refused"),
        ("webhook:deaf", "failed", "refused"), ("webhook:ops", "failed", "delivery dead"),
        ("webhook:deaf", "failed", "delivery dead"),
    ]
    happens(story, 503.0, "failed")
    follower.step(504.0)
    follower.step(505.0)
    assert told(story) == [("webhook:ops", "failed", "failed"), ("webhook:deaf", "failed", "failed")]


@pytest.mark.parametrize("hooks", [{}, {"ops": HOOK | {"events": ["late"]}}])
def test_while_nobody_asks_nothing_is_kept_for_later(story: Parts, hooks: dict[str, Any]) -> None:
    events(story, ops=HOOK).step(500.0)
    events(story, **hooks).step(501.0)
    happens(story, 502.0, "done")
    events(story, ops=HOOK).step(503.0)
    events(story, ops=HOOK).step(504.0)
    assert told(story) == []


def test_a_result_is_not_told_again_when_the_notice_of_it_was_forgotten(story: Parts) -> None:
    follower, day = events(story, ops=HOOK), 86400.0
    follower.step(day)
    happens(story, day + 1.0, "done")
    found = []
    for at in (1.5 * day, 8 * day, 20 * day):  # on a quiet site one is among the last entries for long
        happens(story, at, "configuration changed")
        follower.step(at)
        found.append(len(told(story)))
        with story.database.transaction() as tx:
            tx.notices.forget(2e9)
    assert found == [1, 0, 0]


def test_it_says_which_job_and_where_to_look(story: Parts) -> None:
    follower = events(story, ops=HOOK)
    follower.step(500.0)
    happens(story, 501.0, "done")
    follower.step(502.0)
    with story.database.transaction() as tx:
        notice = tx.notices.claim("test", 600.0, 60.0)
    assert notice
    assert notice.payload == {
        "event": "result", "what": "done", "at": "1970-01-01T00:08:21Z", "node": "SEGNODE", "study": "1.2.3",
        "job": "job-0", "route": "everything", "task": "liver_tumour", "model": "bright",
        "link": "https://node/studies/1.2.3",
    }
