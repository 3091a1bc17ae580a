"""What a person corrected and sent back is recognised, compared with ours and kept once; the rest is told why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydicom.uid import generate_uid
from reviewing import CORRECTED, FOUND, JOB, KEPT, NEW, OBLIQUE, Scene, assert_no_review, tumours

from dicom_node.objects.identity import JobNames
from dicom_node.objects.profile import Profile
from dicom_node.pipeline.review import Review
from storage.archive import Archive
from storage.database import Database
from storage.lifecycle import JobState
from storage.records import InstanceKind


@pytest.fixture
def stage(database: Database, archive: Archive) -> Review:
    return Review(database, archive, revision=3)


def test_a_correction_is_compared_with_ours(scene: Callable[..., Scene], send_back: Callable[..., Any]) -> None:
    node = scene()
    review = send_back(node, node.corrected(CORRECTED))
    assert (review.job_id, review.at, review.study_instance_uid) == (JOB, 100.0, node.study)
    summary = review.summary
    both = 18 + 18  # KEPT and GROWN have 18 voxels each
    assert summary["lesions"] == {"added": 1, "removed": 1, "changed": 1, "same": 1}
    liver, tumour = summary["structures"]
    assert tumour["structure"] == "Liver tumour"
    assert tumour["dice"] == round(2 * both / (3 * 18 + 3 * 18 + 9), 4)
    assert tumour["ml"] == round(54 * OBLIQUE.voxel_ml, 3)
    assert tumour["reviewed_ml"] == round(63 * OBLIQUE.voxel_ml, 3)
    assert liver["dice"] > 0.98
    assert (summary["labels"], summary["not_judged"], summary["unknown"]) == ([1, 2], [], [])
    assert summary["recognised_by"] == "images"
    ((event, text),) = node.told()
    assert event == "reviewed"
    assert "Liver tumour Dice 0.615; lesions: 1 added, 1 removed, 1 changed, 1 same; the result is modified" in text
    assert "Roentgen" not in text + json.dumps(summary)


def test_ours_and_the_persons_may_be_of_whole_bytes(scene: Callable[..., Scene], send_back: Callable[..., Any]) -> None:
    node = scene(profile=Profile(preset="ohif"))
    seg = node.corrected(CORRECTED)
    assert seg.SegmentationType == "FRACTIONAL"
    assert send_back(node, seg).summary["lesions"] == {"added": 1, "removed": 1, "changed": 1, "same": 1}


def test_what_a_person_sends_back_as_it_was_is_accepted(
    scene: Callable[..., Scene], send_back: Callable[..., Any]
) -> None:
    node = scene()
    assert send_back(node, node.corrected(FOUND)).summary["assessment"] == "accepted"
    copy = node.corrected(FOUND)
    copy.ReferencedSeriesSequence[0].SeriesInstanceUID = JobNames(JOB).series("seg")
    for segment in copy.SegmentSequence:
        segment.SegmentAlgorithmType = "AUTOMATIC"
    assert "assessment" not in send_back(node, copy).summary, "no person had a hand in it"


@pytest.mark.parametrize("how", ["tracking", "citation"])
def test_what_refers_to_our_result_needs_no_hand(
    scene: Callable[..., Scene], send_back: Callable[..., Any], how: str
) -> None:
    node = scene()
    seg = node.corrected(CORRECTED)
    if how == "tracking":
        seg.SegmentSequence[0].TrackingUID = JobNames(JOB).tracking("2")
        seg.SegmentSequence[0].TrackingID = "x"
    else:
        seg.ReferencedSeriesSequence[0].SeriesInstanceUID = JobNames(JOB).series("seg")
    for segment in seg.SegmentSequence:
        segment.SegmentAlgorithmType = "AUTOMATIC"
    assert send_back(node, seg).summary["recognised_by"] == how


def test_of_several_jobs_on_the_same_images_the_one_that_knows_its_structures(
    scene: Callable[..., Scene], send_back: Callable[..., Any]
) -> None:
    node = scene()
    node.finish(FOUND, "c" * 64, created_at=30.0)
    node.finish(tumours(), "d" * 64, task="lung_nodule", created_at=40.0)
    node.finish(FOUND, "e" * 64, state=JobState.SUPERSEDED, created_at=50.0)
    assert send_back(node, node.corrected(CORRECTED)).job_id == "c" * 64, "and of these the newest"


def test_a_second_review_counts_and_the_first_stays(
    scene: Callable[..., Scene], send_back: Callable[..., Any]
) -> None:
    node = scene()
    first = send_back(node, node.corrected(CORRECTED), 100.0)
    second = send_back(node, node.corrected(FOUND), 200.0)
    with node.database.reading() as tx:
        assert tx.reviews.of_study(node.study) == [first, second]
        assert tx.reviews.counting() == [second]
    assert second.summary["structures"][1]["dice"] == 1.0


def test_of_two_that_wait_together_the_one_that_came_last_counts(
    scene: Callable[..., Scene], stage: Review
) -> None:
    node = scene()
    draft, final = node.corrected(FOUND), node.corrected(CORRECTED)
    for seg, uid in ((draft, "1.2.840.9"), (final, "1.2.840.1")):
        seg.SOPInstanceUID = seg.file_meta.MediaStorageSOPInstanceUID = uid
    node.arrive(draft, 100.0)
    node.arrive(final, 101.0)
    assert stage.step(500.0), "the pipeline was down, and reads both at once"
    with node.database.reading() as tx:
        assert [one.sop_instance_uid for one in tx.reviews.of_study(node.study)] == ["1.2.840.9", "1.2.840.1"]
        assert [one.sop_instance_uid for one in tx.reviews.counting()] == ["1.2.840.1"]


def test_what_we_missed_altogether(scene: Callable[..., Scene], send_back: Callable[..., Any]) -> None:
    node = scene(np.zeros(OBLIQUE.shape, np.uint8))
    summary = send_back(node, node.corrected(tumours(KEPT, NEW, liver=False))).summary
    assert summary["lesions"] == {"added": 2, "removed": 0, "changed": 0, "same": 0}
    assert summary["not_judged"] == ["Liver"]


def test_what_is_not_drawn_is_not_judged(scene: Callable[..., Scene], send_back: Callable[..., Any]) -> None:
    node = scene()
    summary = send_back(node, node.corrected(tumours())).summary
    assert summary["not_judged"] == ["Liver tumour"]
    assert [one["structure"] for one in summary["structures"]] == ["Liver"]
    assert summary["lesions"] == {"added": 0, "removed": 0, "changed": 0, "same": 0}


def test_another_machines_opinion_is_no_review(scene: Callable[..., Scene], send_back: Callable[..., Any]) -> None:
    node = scene()
    seg = node.corrected(CORRECTED)
    for segment in seg.SegmentSequence:
        segment.SegmentAlgorithmType = "AUTOMATIC"
    assert_no_review(node, send_back, seg, "all its segments are AUTOMATIC")


def test_so_is_that_of_another_node_which_knows_the_same_prior(
    scene: Callable[..., Scene], send_back: Callable[..., Any]
) -> None:
    node = scene(summary={"findings": [{"label": "Liver tumour 1", "tracking_uid": "1.2.7"}]})
    seg = node.corrected(CORRECTED)
    for segment in seg.SegmentSequence:
        segment.SegmentAlgorithmType, segment.TrackingUID, segment.TrackingID = "AUTOMATIC", "1.2.7", "x"
    assert_no_review(node, send_back, seg, "all its segments are AUTOMATIC")


def test_what_refers_to_nothing_of_ours_is_none(scene: Callable[..., Scene], send_back: Callable[..., Any]) -> None:
    node = scene()
    seg = node.corrected(CORRECTED)
    seg.ReferencedSeriesSequence[0].SeriesInstanceUID = generate_uid()
    del seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence, seg.SourceImageSequence
    assert_no_review(node, send_back, seg, "neither to a result of ours nor to the images")


def test_another_grid_is_refused(scene: Callable[..., Scene], send_back: Callable[..., Any]) -> None:
    node = scene()
    seg = node.corrected(CORRECTED)
    seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0.5, 0.5]
    assert_no_review(node, send_back, seg, "do not lie on the series' voxels")


def test_what_is_no_segmentation_inside_is_refused(scene: Callable[..., Scene], send_back: Callable[..., Any]) -> None:
    node = scene()
    seg = node.corrected(CORRECTED)
    del seg.PerFrameFunctionalGroupsSequence
    assert_no_review(node, send_back, seg, "each of its frames")


@pytest.mark.parametrize(
    ("state", "rejects"), [(JobState.PENDING, ""), (JobState.SUPERSEDED, ""), (JobState.DONE, "x")]
)
def test_a_job_that_has_not_finished_is_reviewed_by_nobody(
    scene: Callable[..., Scene], send_back: Callable[..., Any], state: JobState, rejects: str
) -> None:
    node = scene(state=state, rejects=rejects)
    assert_no_review(node, send_back, node.corrected(CORRECTED), "no job of this study has finished")


def test_what_was_fetched_of_an_earlier_study_is_read_in_silence(scene: Callable[..., Scene], stage: Review) -> None:
    node = scene(state=JobState.PENDING)
    node.arrive(node.corrected(CORRECTED), 100.0, fetched=True)
    assert stage.step(101.0)
    assert node.told() == []


def test_without_our_segmentation_there_is_nothing_to_compare(
    scene: Callable[..., Scene], send_back: Callable[..., Any], archive: Archive
) -> None:
    node = scene()
    with node.database.reading() as tx:
        (ours,) = tx.results.of_job(JOB)
    archive.path(ours.file).unlink()
    assert_no_review(node, send_back, node.corrected(CORRECTED), "no longer held")


def test_our_own_that_comes_back_is_not_looked_at(scene: Callable[..., Scene], stage: Review) -> None:
    node = scene()
    node.arrive(node.seg(FOUND, JOB), 100.0)
    assert not stage.step(101.0)
    with node.database.reading() as tx:
        kinds = {i.sop_instance_uid: i.kind for i in tx.studies.instances(study_uid=node.study)}
    assert kinds[JobNames(JOB).instance("seg")] is InstanceKind.RESULT
