"""Where the time of a study went."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dicom_node.views.timeline import time_to_result, timeline_view
from storage.lifecycle import DeliveryState, JobState, StudyState
from storage.records import Delivery, Job, JournalEntry, Study

STUDY = Study("1.2", StudyState.DISPATCHED, 1, 100.0, 110.0, ("CT1",), 42)
JOB = Job("job", "1.2", 1, "liver", "liver_tumour", "m", JobState.DONE, 0, {}, {}, 142.0, started_at=150.0,
          finished_at=180.0)
SENT = Delivery(1, "job", "1.2", "pacs", DeliveryState.COMMITTED, 1, 0.0, 180.0, sent_at=185.0)
JOURNAL = [
    JournalEntry(1, 140.0, "complete", "42 images", "1.2"),
    JournalEntry(2, 142.0, "verdict", "slices are axial", "1.2"),
    JournalEntry(3, 142.0, "job made", "route liver", "1.2"),
    JournalEntry(4, 190.0, "committed", "pacs: all kept", "1.2"),
]


def steps(study=STUDY, jobs=(JOB,), deliveries=(SENT,), journal=JOURNAL, now=200.0) -> list[dict[str, Any]]:
    return timeline_view(study, jobs, deliveries, journal, now)


def test_a_study_that_went_all_the_way() -> None:
    assert [(one["step"], one["of"], one["state"], one["seconds"]) for one in steps()] == [
        ("received", "", "done", 10.0),
        ("complete", "", "done", 30.0),
        ("routed", "", "done", 2.0),
        ("inferred", "liver", "done", 30.0),
        ("delivered", "pacs", "done", 5.0),
        ("committed", "pacs", "done", 5.0),
    ]
    assert time_to_result(STUDY, [SENT]) == 75.0


def test_a_result_that_was_sent_before_a_late_image_is_none_of_all_images() -> None:
    later = replace(STUDY, changed_at=300.0)
    assert time_to_result(later, [SENT]) is None
    assert time_to_result(later, [SENT, replace(SENT, delivery_id=2, sent_at=360.0)]) == 60.0


def test_one_that_still_comes_has_not_been_anywhere() -> None:
    found = steps(replace(STUDY, state=StudyState.RECEIVING), (), (), [], now=112.0)
    assert [(one["step"], one["state"], one["seconds"]) for one in found] == [
        ("received", "running", 12.0), ("complete", "waiting", 2.0), ("routed", "waiting", None)
    ]
    assert time_to_result(STUDY, []) is None


@pytest.mark.parametrize(("job", "state", "seconds", "note"), [
    (replace(JOB, state=JobState.PENDING, lease_until=300.0, step="network"), "running", 50.0, "network"),
    (replace(JOB, state=JobState.PENDING, lease_until=None), "waiting", 58.0, ""),
    (replace(JOB, state=JobState.FAILED, reason="out of memory"), "failed", 30.0, "out of memory"),
    (replace(JOB, state=JobState.REFUSED, reason="no CT"), "failed", 30.0, "no CT"),
])
def test_a_job_is_where_it_stands(job: Job, state: str, seconds: float, note: str) -> None:
    found = steps(jobs=(job,), deliveries=())[3]
    assert (found["state"], found["seconds"], found["note"]) == (state, seconds, note)


@pytest.mark.parametrize(("delivery", "told"), [
    (replace(SENT, state=DeliveryState.PENDING, sent_at=None), [("delivered", "waiting", 20.0)]),
    (replace(SENT, state=DeliveryState.HELD, sent_at=None), [("delivered", "held", 20.0)]),
    (replace(SENT, state=DeliveryState.DEAD, sent_at=None), [("delivered", "failed", None)]),
    (replace(SENT, state=DeliveryState.SENT), [("delivered", "done", 5.0)]),
    (replace(SENT, state=DeliveryState.SUPERSEDED), []),
])
def test_a_delivery_is_where_it_stands(delivery: Delivery, told: list[tuple[str, str, float]]) -> None:
    assert [(one["step"], one["state"], one["seconds"]) for one in steps(deliveries=(delivery,))[4:]] == told


def test_what_a_later_generation_replaced_is_left_out() -> None:
    old = replace(JOB, job_id="old", state=JobState.SUPERSEDED)
    older = replace(JOB, job_id="older", generation=0)
    assert len(steps(jobs=(old, older, JOB))) == 6


def test_a_study_that_came_again_is_told_from_then_on() -> None:
    again = replace(STUDY, changed_at=150.0, state=StudyState.NOT_ROUTED)
    journal = [*JOURNAL, JournalEntry(5, 180.0, "complete", "", "1.2"), JournalEntry(6, 181.0, "not routed", "", "1.2")]
    found = steps(again, (), (), journal)
    assert [(one["step"], one["state"], one["seconds"]) for one in found] == [
        ("received", "done", 50.0), ("complete", "done", 30.0), ("routed", "failed", 1.0)
    ]
