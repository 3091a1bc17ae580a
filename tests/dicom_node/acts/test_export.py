"""Reviewed truth becomes numbered cases, once each, of the newest review, with nothing that names anybody."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from empty_sqlite import EmptySqlite
from reviewing import CORRECTED, FOUND, JOB, OBLIQUE, Scene, liver_scene

from dicom_node.acts.export import Line, _pseudonym, export_reviewed
from dicom_node.pipeline.review import Review
from inference.readers import nifti
from storage.arriving.rejections import Rejection
from storage.database import Database
from storage.files.folder_archive import FolderArchive
from storage.working.reviews import ReviewKind

Export = Callable[..., list[Line]]


@pytest.fixture
def node(tmp_path: Path, empty_sqlite: EmptySqlite) -> Iterator[Scene]:
    """A study whose job was corrected at 100 s."""
    database = Database.open(empty_sqlite(tmp_path / "node.db"))
    scene = liver_scene(database, FolderArchive(tmp_path / "archive"), tmp_path)
    scene.finish(FOUND)
    send_back(scene, CORRECTED, 100.0)
    yield scene
    database.close()


def send_back(scene: Scene, labels: np.ndarray, now: float) -> str:
    uid = scene.arrive(scene.corrected(labels), now)
    assert Review(scene.database, scene.archive).step(now)
    return uid


@pytest.fixture
def export(node: Scene, tmp_path: Path) -> Export:
    return lambda *args, **more: list(export_reviewed(node.database, node.archive, tmp_path / "out", *args, **more))


def rows(tmp_path: Path) -> list[dict[str, str]]:
    with (tmp_path / "out" / "liver_tumour" / "cases.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_case_holds_the_images_and_the_corrected_mask(export: Export, node: Scene, tmp_path: Path) -> None:
    (line,) = export()
    assert (line.study_instance_uid, line.job_id, line.task, line.case) == (node.study, JOB, "liver_tumour", 1)
    folder = tmp_path / "out" / "liver_tumour"
    truth = nifti.read(folder / "segmentation-1.nii")
    index = truth.grid.to_index(OBLIQUE.to_lps(np.argwhere(CORRECTED == 2)))
    assert np.abs(index - np.rint(index)).max() < 1e-2
    at = tuple(np.rint(index).astype(int).T)
    assert (truth.array[at] == 2).all()
    assert np.count_nonzero(truth.array == 2) == np.count_nonzero(CORRECTED == 2)
    assert nifti.read(folder / "volume-1.nii").grid.matches(truth.grid)
    (row,) = rows(tmp_path)
    assert (row["case"], row["job"], row["labels"]) == ("1", JOB, "1 2")
    assert len(row["review"]) == 64
    for path in folder.iterdir():
        data = path.read_bytes()
        assert not [word for word in (b"Phantom^", b"PHANTOM-0", b"A0001", b"2.25.", b"20250401") if word in data], path


def test_a_job_is_written_once(export: Export, node: Scene) -> None:
    assert [line.case for line in export()] == [1]
    assert [(line.case, line.reason) for line in export()] == [(None, "it is case 1 already")]
    send_back(node, FOUND, 200.0)
    (line,) = export()
    assert line.reason == "it is case 1 already from an older review, which stays"


def test_a_patient_has_one_pseudonym_and_nobody_else_has_it(export: Export, node: Scene, tmp_path: Path) -> None:
    (line,) = export()
    (row,) = rows(tmp_path)
    assert row["patient"].startswith("patient-")
    with node.database.reading() as tx:
        patient_id = tx.studies.get(line.study_instance_uid).header["PatientID"]
    assert patient_id.casefold() not in row["patient"]
    assert _pseudonym(b"k", {"PatientID": patient_id}) != row["patient"], "it hangs on the node's own key"
    again, other = (_pseudonym(b"k", {"PatientID": who}) for who in (patient_id, "another"))
    assert again == _pseudonym(b"k", {"PatientID": f"{patient_id} ", "StudyDate": "20260101"}) != other
    assert _pseudonym(b"k", {}) == ""


def test_a_table_of_before_patients_were_told_goes_on(export: Export, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "liver_tumour"
    folder.mkdir(parents=True)
    (folder / "cases.csv").write_text(f"case,job,review,labels\n4,{'b' * 64},{'c' * 64},1 2\n")
    assert [line.case for line in export()] == [5]
    old, new = rows(tmp_path)
    assert (old["case"], old["patient"], old["job"], old["labels"]) == ("4", "", "b" * 64, "1 2")
    assert (new["case"], new["job"], new["labels"]) == ("5", JOB, "1 2")
    assert new["patient"]


def test_files_that_are_there_are_passed_over(export: Export, tmp_path: Path) -> None:
    (tmp_path / "out" / "liver_tumour").mkdir(parents=True)
    (tmp_path / "out" / "liver_tumour" / "volume-1.nii").write_bytes(b"LiTS")
    assert [line.case for line in export()] == [2]
    assert (tmp_path / "out" / "liver_tumour" / "volume-1.nii").read_bytes() == b"LiTS"


def test_tasks_and_days_are_chosen(export: Export) -> None:
    assert export(["brain_tumour"]) == []
    assert export(None, 101.0) == []
    assert len(export(["liver_tumour"], 100.0)) == 1


def test_a_report_is_no_truth_to_train_with(export: Export, node: Scene) -> None:
    with node.database.transaction() as tx:
        (seg,) = tx.reviews.of_study(node.study)
        report = replace(seg, sop_instance_uid="1.2.9.9", at=200.0, summary={}, kind=ReviewKind.SR)
        assert tx.reviews.add(report)
    assert [line.case for line in export()] == [1], "though it is the newer word"


@pytest.mark.parametrize("what", ["review", "image"])
def test_what_a_note_rejected_is_no_truth(export: Export, node: Scene, what: str) -> None:
    with node.database.transaction() as tx:
        (review,) = tx.reviews.of_study(node.study)
        uid = review.sop_instance_uid if what == "review" else tx.jobs.get(JOB).inputs["CT"]["instances"][3]
        tx.rejections.add([Rejection(uid, "1.2.9", node.study, "113001", 300.0)])
    (line,) = export()
    assert (line.case, line.reason) == (None, "a note has rejected the review, or an image behind it")


def test_what_retention_removed_is_told(export: Export, node: Scene) -> None:
    with node.database.transaction() as tx:
        tx.removals.remove(node.study, 400.0)
    (line,) = export()
    assert (line.case, line.reason) == (None, "retention has removed the review, or an image behind it")
