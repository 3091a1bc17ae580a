"""A prior as the worker gets it: its images in order, its lesions numbered, and who they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from reviewing import FOUND, GONE, GROWN, JOB, KEPT, MODEL, Scene

from dicom_node.objects.identity import JobNames
from dicom_node.pipeline.prior_files import NoPrior, load_prior
from inference.request import SHARED, KnownLesion, Maker, Prior
from storage.arriving.rejections import RETENTION_EXPIRED, Rejection
from storage.records import Job

HISTORY = [{"taken": "2026-01-10", "seen": {}, "new": [], "vanished": []}]


@pytest.fixture
def later(scene: Callable[..., Scene]) -> tuple[Scene, Job]:
    """The scene, and a job of another study that was given the scene's as its prior."""
    node = scene()
    with node.database.reading() as tx:
        made = tx.jobs.get(JOB)
        segs = [result.sop_instance_uid for result in tx.results.of_job(JOB) if result.kind == "seg"]
    prior = {"study": node.study, "job": JOB, "segs": segs, **made.inputs["CT"], "taken": "2026-04-10",
             "current_taken": "2026-07-09"}  # fmt: skip
    return node, replace(made, job_id="c" * 64, study_instance_uid="1.2.9", parameters={"prior": prior})


def load(later: tuple[Scene, Job], tmp_path: Path, **prior: Any) -> Prior:
    node, job = later
    job = replace(job, parameters={"prior": job.parameters["prior"] | prior})
    with load_prior(node.database, node.archive, job, tmp_path) as found:
        assert found is not None
        return found


def test_lesions_are_known_by_name_and_tracking_uid(later: tuple[Scene, Job], tmp_path: Path) -> None:
    prior = load(later, tmp_path)
    names = JobNames(JOB)
    assert prior.lesions == {
        n: KnownLesion(f"Liver tumour {n}", names.tracking(str(n + 1)), 2) for n in (1, 2, 3)
    }, "the liver is no lesion, and comes first in the segmentation"
    labelmap = np.load(prior.labelmap)
    assert np.array_equal(labelmap > 0, FOUND == 2)
    assert {tuple(np.unique(labelmap[place])) for place in (KEPT, GROWN, GONE)} == {(1,), (2,), (3,)}


def test_its_images_and_dates_come_with_it(later: tuple[Scene, Job], tmp_path: Path) -> None:
    node, job = later
    prior = load(later, tmp_path)
    assert prior.series.sop_instance_uids == tuple(job.parameters["prior"]["instances"])
    assert all(path.is_file() for path in prior.series.paths)
    assert (prior.study_instance_uid, prior.taken, prior.current_taken, prior.history) == (
        node.study, date(2026, 4, 10), date(2026, 7, 9), (),
    )  # fmt: skip


def test_what_it_kept_of_earlier_dates_comes_with_it(scene: Callable[..., Scene], tmp_path: Path) -> None:
    node = scene()
    node.finish(np.zeros_like(FOUND), job="d" * 64, summary={"findings": [], "trend": {"history": HISTORY}})
    with node.database.reading() as tx:
        made = tx.jobs.get("d" * 64)
    prior = {"study": node.study, "job": "d" * 64, "segs": [], **made.inputs["CT"], "taken": "2026-04-10",
             "current_taken": "2026-07-09"}  # fmt: skip
    with load_prior(node.database, node.archive, replace(made, parameters={"prior": prior}), tmp_path) as found:
        assert found is not None
    assert found.history == tuple(HISTORY)
    assert found.lesions == {}
    assert not np.load(found.labelmap).any()


def test_the_model_that_measured_it_is_the_one_that_its_job_kept_else_the_one_that_its_segments_name(
    later: tuple[Scene, Job], tmp_path: Path
) -> None:
    node, _ = later
    named = Maker(MODEL.name, MODEL.version, MODEL.sha256)
    assert load(later, tmp_path).maker == named, "a job of an earlier release, which kept none"
    assert load(later, tmp_path, job=None).maker == named, "an archive brought it"
    kept = Maker("net", "0.9", "cd" * 32)
    node.finish(np.zeros_like(FOUND), job="d" * 64, summary={"findings": [], "maker": kept._asdict()})
    assert load(later, tmp_path, job="d" * 64, segs=[]).maker == kept, "it found nothing, so no segment says it"
    assert load(later, tmp_path, job=None, segs=[]).maker is None


def test_a_job_without_a_prior_gets_none(later: tuple[Scene, Job], tmp_path: Path) -> None:
    node, job = later
    with load_prior(node.database, node.archive, replace(job, parameters={}), tmp_path) as prior:
        assert prior is None


def test_images_that_are_gone_are_said(later: tuple[Scene, Job], tmp_path: Path) -> None:
    with pytest.raises(NoPrior, match="1 of 1 images of the prior are no longer held"):
        load(later, tmp_path, instances=["2.25.404"])


def test_a_segmentation_that_is_gone_is_said(later: tuple[Scene, Job], tmp_path: Path) -> None:
    with pytest.raises(NoPrior, match="segmentation is no longer held"):
        load(later, tmp_path, segs=["2.25.404"])


@pytest.mark.parametrize(
    ("corrected", "said"),
    [
        ({"PatientID": "B 2"}, "another patient ID by now"),
        ({"PatientID": "B 2", "PatientBirthDate": "18151211"}, "another patient ID and birth date by now"),
        ({"PatientBirthDate": ""}, r"another birth date \(none\) by now"),
    ],
)
def test_one_that_a_correction_gave_to_somebody_else_while_the_job_waited_is_not_used(
    corrected: dict[str, str], said: str, later: tuple[Scene, Job], tmp_path: Path
) -> None:
    node, job = later
    image = dcmread(node.paths["CT"][0])
    image.StudyInstanceUID, image.SeriesInstanceUID = job.study_instance_uid, "1.2.9.1"
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = "1.2.9.1.1"
    node.arrive(image, 50.0)
    assert load(later, tmp_path), "they are of one patient"
    with node.database.transaction() as tx:
        (one, *_) = tx.studies.instances(study_uid=node.study)
        header = tx.studies.get(node.study).header | corrected
        tx.versions.correct(one, replace(one, received_at=60.0), header, copied=True)
    with pytest.raises(NoPrior, match=said) as refused:
        load(later, tmp_path)
    assert not any(value and value in str(refused.value) for value in corrected.values()), "it names no patient"


@pytest.mark.parametrize("what", ["instances", "segs"])
def test_one_that_a_note_rejected_while_the_job_waited_is_not_used(
    what: str, later: tuple[Scene, Job], tmp_path: Path
) -> None:
    node, job = later
    uid = job.parameters["prior"][what][0]
    with node.database.transaction() as tx:
        tx.rejections.add([Rejection(uid, "1.2.8", node.study, RETENTION_EXPIRED, 50.0)])
    assert load(later, tmp_path), "a note that its time is over says nothing against it"
    with node.database.transaction() as tx:
        tx.rejections.add([Rejection(uid, "1.2.7", node.study, "113038", 60.0)])
    with pytest.raises(NoPrior, match="the prior was rejected"):
        load(later, tmp_path)


def test_a_segmentation_that_cannot_be_read_is_said(later: tuple[Scene, Job], tmp_path: Path) -> None:
    node, job = later
    (uid,) = job.parameters["prior"]["segs"]
    with node.database.reading() as tx:
        result = tx.results.find(uid)
    assert result is not None
    node.archive.path(result.file).write_bytes(b"\0" * 400)
    with pytest.raises(NoPrior, match="cannot be read"):
        load(later, tmp_path)


def test_names_that_are_not_ours_are_not_taken_over(later: tuple[Scene, Job], tmp_path: Path) -> None:
    node, _ = later
    edited = node.seg(FOUND)
    edited.SegmentSequence[1].SegmentLabel = "Metastasis 7, Mrs Lovelace"
    edited.SegmentSequence[2].SegmentLabel = "Liver tumour, 12 small ones"
    uid = node.arrive(edited, 50.0)
    prior = load(later, tmp_path, segs=[uid])
    assert [one.label for one in prior.lesions.values()] == ["", "Liver tumour 3"], "what several share is nobody"
    assert set(np.unique(np.load(prior.labelmap)[GROWN])) == {SHARED}, "but where they lie is known"
