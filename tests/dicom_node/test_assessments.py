"""A result is accepted, modified or rejected by what persons sent back; the newest word counts."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_node.assembly import Parts
from dicom_node.assessments import assessments
from storage.arriving.rejections import Rejection
from storage.working.reviews import Reviewed, ReviewKind

OURS, OTHER = "2.25.7", "1.2.3.1.1"


def told(story: Parts, *rejected: Rejection, **reviews: str) -> list[tuple[Any, ...]]:
    with story.database.transaction() as tx:
        for place, said in enumerate(reviews.values()):
            tx.reviews.add(Reviewed(f"1.2.9.{place}", "job-0", "1.2.3", 400.0 + place, {"assessment": said}))
        tx.rejections.add(rejected)
        return [(a["assessment"], a["by"], a["because"], a["counts"]) for a in assessments(tx, "1.2.3")]


def test_the_newest_word_counts(story: Parts) -> None:
    note = Rejection(OURS, "2.25.9", "1.2.3", "113037", 500.0)
    assert told(story, note, first="modified", second="accepted") == [
        ("modified", "1.2.9.0", "", False),
        ("accepted", "1.2.9.1", "", False),
        ("rejected", "2.25.9", "patient safety", True),
    ]


def test_a_report_is_a_word_as_a_segmentation_is(story: Parts) -> None:
    with story.database.transaction() as tx:
        for place, kind in enumerate(ReviewKind):
            said = {"assessment": "modified" if kind is ReviewKind.SEG else "accepted"}
            tx.reviews.add(Reviewed(f"1.2.9.{place}", "job-0", "1.2.3", 400.0 + place, said, kind))
        found = assessments(tx, "1.2.3")
    assert [(a["assessment"], a["counts"]) for a in found] == [("modified", False), ("accepted", True)]


@pytest.mark.parametrize("note", [
    Rejection(OURS, "2.25.9", "1.2.3", "113039", 500.0),  # its retention has expired
    Rejection(OTHER, "2.25.9", "1.2.3", "113001", 500.0),  # an image
    Rejection(OURS, OURS, "1.2.3", "113001", 500.0),  # a note that we made
])  # fmt: skip
def test_what_judges_no_result_is_no_assessment(story: Parts, note: Rejection) -> None:
    assert told(story, note) == []


def test_a_review_that_a_note_took_back_is_none(story: Parts) -> None:
    note = Rejection("1.2.9.1", "2.25.9", "1.2.3", "113001", 500.0)
    assert told(story, note, first="accepted", second="modified") == [("accepted", "1.2.9.0", "", True)]


def test_a_review_from_before_assessments_is_none(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.reviews.add(Reviewed("1.2.9.1", "job-0", "1.2.3", 400.0, {}))
        assert assessments(tx, "1.2.3") == []
