"""What a report says of ours, finding by finding; which report is a review at all, and whose word it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from reporting import (
    NAME,
    child,
    code,
    drawn_group,
    edited,
    measure,
    person,
    reference_to,
    remove_group,
    track,
    viewers_report,
)
from reviewing import FOUND, JOB, Scene, assert_no_review

from dicom_node.objects.corrected import Coded
from dicom_node.objects.corrected_report import Group, Number, Report
from dicom_node.objects.identity import JobNames
from dicom_node.objects.profile import Profile
from dicom_node.objects.validate import groups
from dicom_node.pipeline.review_report import Change, compare
from storage.archive import Archive
from storage.lifecycle import JobState
from storage.records import InstanceKind
from storage.working.reviews import ReviewKind

KINDS = ("seg", "sr", "summary")
LONG_AXIS, VOLUME = "103339001", "118565006"
NEOPLASM, CYST = Coded("108369006", "SCT"), Coded("441457006", "SCT")
MEAN, BY_HAND, BY_VOXELS = Coded("373098007", "SCT"), Coded("1", "99X"), Coded("126030", "DCM")

LONG = Number(Coded(LONG_AXIS, "SCT"), 12.125, Coded("mm", "UCUM"), name="Long Axis")
ML = Number(Coded(VOLUME, "SCT"), 2.5, Coded("mL", "UCUM"), method=BY_VOXELS, name="Volume")
OURS = Group("1.1", NEOPLASM, (LONG, ML), ("1.9", 1))
SECOND = Group("1.2", NEOPLASM, (replace(LONG, value=7.5),), ("1.9", 2))


def says(*said: Group, replaces: bool = False) -> tuple[dict[str, Change], list[tuple[str, str, float, float]]]:
    """What a report of these groups makes of OURS and SECOND."""
    ours = Report((OURS, SECOND), frozenset(), frozenset(), person=False)
    theirs = Report(said, frozenset(), frozenset(), person=True)
    found = compare([ours], theirs, {"1.1", "1.2"}, [ours] if replaces else [])
    return found.changes, [(uid, number.name, number.value, value) for uid, number, value in found.remeasured]


class TestComparison:
    """Finding by finding, by tracking UID."""

    def test_the_same_numbers_are_kept(self) -> None:
        assert says(OURS, SECOND, replaces=True) == ({"1.1": Change.KEPT, "1.2": Change.KEPT}, [])

    @pytest.mark.parametrize("value", [12.125000001, 12.12500381])
    def test_as_well_as_a_decimal_string_or_a_float_can_hold(self, value: float) -> None:
        assert says(replace(OURS, numbers=(replace(LONG, value=value),))) == ({"1.1": Change.KEPT}, [])

    def test_another_value_is_told_with_ours_and_the_readers(self) -> None:
        changes, told = says(replace(OURS, numbers=(replace(LONG, value=14.0), ML)))
        assert changes == {"1.1": Change.REMEASURED}
        assert told == [("1.1", "Long Axis", 12.125, 14.0)]

    @pytest.mark.parametrize(
        "other",
        [
            replace(LONG, unit=Coded("cm", "UCUM"), value=1.2125),
            replace(ML, unit=Coded("mm3", "UCUM"), value=2500.0),
            replace(ML, method=None),
        ],
        ids=["in cm", "in mm3", "no method is said"],
    )
    def test_what_is_said_in_another_way_is_the_same(self, other: Number) -> None:
        assert says(replace(OURS, numbers=(other,))) == ({"1.1": Change.KEPT}, [])
        changed = replace(other, value=2 * other.value)
        changes, told = says(replace(OURS, numbers=(changed,)))
        assert changes == {"1.1": Change.REMEASURED}
        assert [after / before for _, _, before, after in told] == [pytest.approx(2.0)], "told in our unit"

    @pytest.mark.parametrize(
        "other",
        [
            replace(LONG, derivation=MEAN, value=5.0),
            replace(LONG, unit=Coded("{pixels}", "UCUM"), value=5.0),
            replace(ML, method=BY_HAND, value=5.0),
            Number(Coded("9", "99X"), 5.0, Coded("mm", "UCUM")),
        ],
        ids=["derivation", "unit", "method", "quantity"],
    )
    def test_what_measures_something_else_is_not_compared(self, other: Number) -> None:
        assert says(replace(OURS, numbers=(other,))) == ({"1.1": Change.KEPT}, [])

    def test_of_several_lines_one_may_be_ours(self) -> None:
        other = replace(LONG, value=3.0)
        assert says(replace(OURS, numbers=(other, LONG))) == ({"1.1": Change.KEPT}, [])
        assert says(replace(OURS, numbers=(other,)), OURS) == ({"1.1": Change.KEPT}, [])

    def test_another_type_of_finding(self) -> None:
        assert says(replace(OURS, type=CYST)) == ({"1.1": Change.RETYPED}, [])
        assert says(replace(OURS, type=None)) == ({"1.1": Change.KEPT}, [])
        assert says(replace(OURS, type=Coded("ours", "99X"))) == ({"1.1": Change.KEPT}, []), "who knows that code"

    def test_a_group_of_our_segment_is_of_our_finding(self) -> None:
        assert says(replace(OURS, tracking_uid="")) == ({"1.1": Change.KEPT}, [])
        assert says(replace(OURS, tracking_uid="1.7"), replaces=True) == (
            {"1.1": Change.KEPT, "1.2": Change.REMOVED}, [])  # fmt: skip

    def test_one_that_is_not_ours_is_added(self) -> None:
        assert says(OURS, Group("1.7", NEOPLASM, (LONG,))) == ({"1.1": Change.KEPT, "1.7": Change.ADDED}, [])

    def test_one_that_nobody_can_name_is_left_out(self) -> None:
        assert says(Group("", NEOPLASM, (LONG,), ("1.8", 1))) == ({}, [])

    def test_what_is_not_in_it_is_removed_only_where_it_replaces_ours(self) -> None:
        assert says(OURS) == ({"1.1": Change.KEPT}, [])
        assert says(OURS, replaces=True) == ({"1.1": Change.KEPT, "1.2": Change.REMOVED}, [])

    def test_a_finding_that_we_did_not_measure_is_ours_all_the_same(self) -> None:
        theirs = Report((Group("1.3", None, (LONG,)),), frozenset(), frozenset(), person=True)
        assert compare([], theirs, {"1.3"}, []).changes == {"1.3": Change.KEPT}


@pytest.fixture
def node(scene: Callable[..., Scene]) -> Scene:
    """A study of four findings: the liver and three tumours."""
    return scene(kinds=KINDS)


def counted(**said: int) -> dict[str, int]:
    return {str(change): said.get(change.value, 0) for change in Change}


SendBack = Callable[..., Any]


def test_a_report_that_a_reader_edited_is_a_review(node: Scene, send_back: SendBack) -> None:
    report = edited(node.ours("sr"), verified=True)
    measure(groups(report)[1], LONG_AXIS, "14")
    track(groups(report)[2], generate_uid())
    child(groups(report)[2], "121191").ReferencedSOPSequence[0].ReferencedSegmentNumber = 9
    remove_group(report, 3)
    review = send_back(node, report)
    assert (review.kind, review.job_id, review.at) == (ReviewKind.SR, JOB, 100.0)
    assert review.summary["findings"] == counted(kept=1, remeasured=1, added=1, removed=2)
    (line,) = review.summary["remeasured"]
    assert (line["finding"], line["quantity"], line["unit"], line["reviewed_value"]) == (
        "Liver tumour 1", "Long Axis", "mm", 14.0)  # fmt: skip
    assert review.summary["recognised_by"] == "predecessor"
    assert review.summary["assessment"] == "modified"
    ((event, text),) = node.told()
    assert event == "reviewed"
    assert text == (
        f"report {review.sop_instance_uid} is reviewed: 1 finding kept, "
        f"1 remeasured (Long Axis {line['value']:.1f} -> 14.0 mm), 1 added, 2 removed; the result is modified"
    )
    assert "Roentgen" not in text + json.dumps(review.summary)


def test_what_a_person_signs_as_it_was_is_accepted(node: Scene, send_back: SendBack) -> None:
    review = send_back(node, edited(node.ours("sr"), verified=True))
    assert review.summary["findings"] == counted(kept=4)
    assert review.summary["assessment"] == "accepted"


def test_a_machines_copy_says_nothing(node: Scene, send_back: SendBack) -> None:
    review = send_back(node, edited(node.ours("sr")))
    assert review.summary["findings"] == counted(kept=4)
    assert "assessment" not in review.summary


def test_what_differs_is_modified_whoever_says_so(node: Scene, send_back: SendBack) -> None:
    report = edited(node.ours("sr"))
    remove_group(report, 3)
    assert send_back(node, report).summary["assessment"] == "modified"


def test_who_replaces_a_review_replaces_ours(node: Scene, send_back: SendBack) -> None:
    first = edited(node.ours("sr"), verified=True)
    second = edited(first, verified=True)
    remove_group(second, 3)
    assert send_back(node, first, 100.0).summary["replaces"] == [node.ours("sr").SOPInstanceUID]
    review = send_back(node, second, 200.0)
    assert review.summary["recognised_by"] == "predecessor"
    assert review.summary["findings"] == counted(kept=3, removed=1)


def test_the_summary_may_be_corrected_alone(node: Scene, send_back: SendBack) -> None:
    report = edited(node.ours("summary"), verified=True)
    measure(groups(report)[0], "246206008", "2")
    summary = send_back(node, report).summary
    assert summary["findings"]["remeasured"] == 1
    assert summary["findings"]["removed"] == 0, "the other report stands as it was"
    assert (summary["remeasured"][0]["value"], summary["remeasured"][0]["reviewed_value"]) == (3.0, 2.0)


def test_what_shares_a_tracking_uid_needs_no_reference(node: Scene, send_back: SendBack) -> None:
    image = dcmread(node.paths["CT"][0], stop_before_pixels=True)
    mine = drawn_group(JobNames(JOB).tracking("2"), image, "33.25")
    new = drawn_group(generate_uid(), image, "5.5")
    review = send_back(node, viewers_report(image, [mine, new], [image]))
    assert review.summary["recognised_by"] == "tracking"
    assert review.summary["findings"] == counted(remeasured=1, added=1), "it measures two, and removes nothing"
    assert review.summary["remeasured"][0]["quantity"] == "Long Axis", "in our words"
    assert review.summary["assessment"] == "modified"
    ((_, text),) = node.told()
    assert "Roentgen" not in text + json.dumps(review.summary)


def test_a_viewer_that_gives_our_value_accepts_it(scene: Callable[..., Scene], send_back: SendBack) -> None:
    node = scene(kinds=("seg", "diameters"), profile=Profile(preset="ohif"))
    ours = node.ours("diameters")
    (group, *_) = groups(ours)
    uid = child(group, "112040").UID
    value = str(child(group, LONG_AXIS).MeasuredValueSequence[0].NumericValue)
    image = dcmread(node.paths["CT"][0], stop_before_pixels=True)
    summary = send_back(node, viewers_report(image, [drawn_group(uid, image, value)], [image])).summary
    assert summary["findings"] == counted(kept=1)
    assert summary["assessment"] == "accepted"


@pytest.mark.parametrize("kind", ["seg", "sr"])
def test_what_cites_ours_is_about_it(node: Scene, send_back: SendBack, kind: str) -> None:
    image = dcmread(node.paths["CT"][0], stop_before_pixels=True)
    drawn = [drawn_group(generate_uid(), image, "5.5")]
    review = send_back(node, viewers_report(image, drawn, [image, node.ours(kind)]))
    assert review.summary["recognised_by"] == "citation"
    assert (review.summary["findings"], review.summary["assessment"]) == (counted(added=1), "modified")


def test_another_machine_that_only_cites_ours_judges_nothing(node: Scene, send_back: SendBack) -> None:
    image = dcmread(node.paths["CT"][0], stop_before_pixels=True)
    report = viewers_report(image, [drawn_group(generate_uid(), image, "5.5")], [image, node.ours("seg")])
    del report.ContentSequence[:2]
    assert "assessment" not in send_back(node, report).summary


def test_it_is_about_the_job_that_it_replaces_else_about_the_newest(node: Scene, send_back: SendBack) -> None:
    newer = "c" * 64
    node.finish(FOUND, newer, KINDS, created_at=30.0)
    assert send_back(node, edited(node.ours("sr"), verified=True)).job_id == JOB
    image = dcmread(node.paths["CT"][0], stop_before_pixels=True)
    both = [drawn_group(JobNames(job).tracking("2"), image, "33.25") for job in (JOB, newer)]
    assert send_back(node, viewers_report(image, both, [image])).job_id == newer


def test_a_report_about_images_alone_is_none(node: Scene, send_back: SendBack) -> None:
    image = dcmread(node.paths["CT"][0], stop_before_pixels=True)
    report = viewers_report(image, [drawn_group(generate_uid(), image, "5.5")], [image])
    assert_no_review(node, send_back, report, "it refers to no result of ours")


def test_that_of_another_node_which_knows_the_same_prior_is_none(
    scene: Callable[..., Scene], send_back: SendBack
) -> None:
    node = scene(kinds=KINDS, summary={"findings": [{"label": "Liver tumour 1", "tracking_uid": "1.2.7"}]})
    image = dcmread(node.paths["CT"][0], stop_before_pixels=True)
    report = viewers_report(image, [drawn_group("1.2.7", image, "5.5")], [image])
    del report.ContentSequence[:2]
    assert_no_review(node, send_back, report, "it refers to no result of ours")


def test_one_that_measures_nothing_of_anything_is_none(node: Scene, send_back: SendBack) -> None:
    image = dcmread(node.paths["CT"][0], stop_before_pixels=True)
    report = viewers_report(image, [drawn_group("", image, "5.5")], [image, node.ours("seg")])
    assert_no_review(node, send_back, report, "none of its measurement groups says of which finding it is")


def test_one_of_another_study_is_none(node: Scene, send_back: SendBack) -> None:
    report = edited(node.ours("sr"))
    report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[
        0].ReferencedSOPInstanceUID = generate_uid()  # fmt: skip
    report.CurrentRequestedProcedureEvidenceSequence = [reference_to(dcmread(node.paths["CT"][0]))]
    for group in groups(report):
        track(group, generate_uid())
        child(group, "121191").ReferencedSOPSequence[0].ReferencedSOPInstanceUID = generate_uid()
    assert_no_review(node, send_back, report, "it refers to no result of ours")


def test_what_cannot_be_read_is_told(node: Scene, send_back: SendBack) -> None:
    report = edited(node.ours("sr"))
    measure(groups(report)[0], VOLUME, "1")
    child(groups(report)[0], "112040").UID = "1" * 1100
    assert_no_review(node, send_back, report, "it cannot be parsed (ValueError)")


def test_without_a_report_of_ours_there_is_nothing_to_compare(scene: Callable[..., Scene], send_back: SendBack) -> None:
    node = scene(kinds=("seg",))
    image = dcmread(node.paths["CT"][0], stop_before_pixels=True)
    report = viewers_report(image, [drawn_group(JobNames(JOB).tracking("2"), image, "5.5")], [image])
    assert_no_review(node, send_back, report, "its job made no report to compare it with")


def test_ours_that_retention_removed_cannot_be_compared(node: Scene, send_back: SendBack, archive: Archive) -> None:
    report = edited(node.ours("sr"))
    with node.database.reading() as tx:
        for made in tx.results.of_job(JOB):
            archive.path(made.file).unlink()
    assert_no_review(node, send_back, report, "no longer held")


def assert_untold(node: Scene, send_back: SendBack, report: Dataset) -> None:
    assert send_back(node, report) is None
    assert node.told() == []


def test_another_kind_of_document_is_read_in_silence(node: Scene, send_back: SendBack) -> None:
    report = edited(node.ours("sr"))
    report.ConceptNameCodeSequence = [code("113701", "DCM", "X-Ray Radiation Dose Report")]
    assert_untold(node, send_back, report)


@pytest.mark.parametrize(
    ("state", "rejects"), [(JobState.PENDING, ""), (JobState.SUPERSEDED, ""), (JobState.DONE, "x")]
)
def test_so_is_any_report_where_no_job_has_finished(
    scene: Callable[..., Scene], send_back: SendBack, state: JobState, rejects: str
) -> None:
    node = scene(kinds=KINDS, state=state, rejects=rejects)
    assert_untold(node, send_back, edited(node.ours("sr"), verified=True))


def test_our_own_that_comes_back_is_not_looked_at(node: Scene) -> None:
    node.arrive(node.ours("sr"), 100.0)
    with node.database.reading() as tx:
        assert not tx.versions.any_unread(InstanceKind.REPORT)


def test_nothing_found_may_be_accepted(scene: Callable[..., Scene], send_back: SendBack) -> None:
    node = scene(np.zeros_like(FOUND), kinds=KINDS)
    report = edited(node.ours("summary"), verified=True)
    report.ContentSequence.extend(person(NAME))
    assert send_back(node, report).summary["assessment"] == "accepted"
