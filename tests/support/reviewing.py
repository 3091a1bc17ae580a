"""A study with a finished job and its objects, as rows and files, and what a person would send back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dicom_node.network.contexts import STORAGE_CLASSES
from dicom_node.network.headers.header import read_header
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.encode import encode
from dicom_node.objects.profile import STANDARD, Profile
from dicom_node.pipeline.review import Review
from inference.findings import IntendedUse, ModelIdentity, Result
from inference.measure import measure_findings
from inference.readers.dicom import read_series
from inference.tasks import TASKS
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series
from storage.archive import Archive
from storage.database import Database
from storage.files.part10 import META_AT
from storage.lifecycle import JobState, StudyState
from storage.records import Instance, Job, ResultObject
from storage.working.reviews import Reviewed

JOB = "a" * 64
MODEL = ModelIdentity("net", "1", "ab" * 32, "Segnode", IntendedUse.DEMONSTRATION)
TURNED = np.linalg.qr(np.array([[0.2, 0.3, 0.9], [0.1, 0.9, -0.3], [-0.95, 0.2, 0.1]]))[0]
TURNED *= [-np.sign(np.linalg.det(TURNED)), 1, 1]  # slices along row × column, as the reader gives them
OBLIQUE = Grid((10, 18, 16), regular_affine((-31.5, 12.25, -140.0), TURNED, Spacing(3.0, 0.9, 0.7)))
KEPT, GROWN, GONE, NEW = (np.s_[1:3, 2:5, 2:5], np.s_[1:3, 10:13, 3:6], np.s_[6:8, 2:5, 10:13], np.s_[6:8, 13:16, 3:6])
GROWN_BY = np.s_[3:4, 10:13, 3:6]


def tumours(*places: Any, liver: bool = True) -> np.ndarray:
    """A label map: a liver almost everywhere, and tumours in it."""
    labels = np.zeros(OBLIQUE.shape, np.uint8)
    if liver:
        labels[:9, 1:17, 1:15] = 1
    for place in places:
        labels[place] = 2
    return labels


ENCODED: dict[str, list[tuple[str, bytes]]] = {}  # by all that they are made of: most tests ask for the same ones
FOUND = tumours(KEPT, GROWN, GONE)
CORRECTED = tumours(KEPT, GROWN, GROWN_BY, NEW)


@dataclass
class Scene:
    """The stored study; `labels` is what its job found."""

    database: Database
    archive: Archive
    folder: Path
    study: str
    paths: dict[str, list[Path]]
    task: str
    profile: Profile = STANDARD

    def seg(self, labels: np.ndarray, job: str = "b" * 64) -> Dataset:
        """A SEG of these labels; with the job's own ID it is ours, voxel for voxel and UID for UID."""
        return next(ds for kind, ds in self.objects(labels, job) if kind == "seg")

    def objects(self, labels: np.ndarray, job: str) -> list[tuple[str, Dataset]]:
        """Everything that a job which finds these labels makes, each with its kind."""
        images = hashlib.sha256(b"".join(path.read_bytes() for paths in self.paths.values() for path in paths))
        told = (job, self.task, repr(self.profile), repr(MODEL), list(self.paths), images.hexdigest())
        key = hashlib.sha256(repr(told).encode() + labels.tobytes()).hexdigest()
        if key not in ENCODED:
            ENCODED[key] = self._encoded(labels, job)
        return [(kind, dcmread(BytesIO(part10))) for kind, part10 in ENCODED[key]]

    def _encoded(self, labels: np.ndarray, job: str) -> list[tuple[str, bytes]]:
        card = TASKS[self.task]
        volume = read_series(self.paths[card.primary])
        measured = measure_findings(labels, card.structures, volume, card.regions)
        np.save(self.folder / "labels.npy", measured.labelmap)
        sources = {role: read_series(paths).sources for role, paths in self.paths.items()}
        result = Result(self.task, MODEL, volume.grid, card.primary, self.folder / "labels.npy", measured.findings,
                        sources=sources)
        context = EncodeContext(created_at=1_763_900_000.0, dciodvfy=False, profile=self.profile)
        return [(item.kind, item.part10) for item in encode(result, job, self.paths, context)]

    def corrected(self, labels: np.ndarray) -> Dataset:
        """The same as a person's work: another object, drawn by hand, that tracks nothing of ours."""
        seg = self.seg(labels)
        seg.SOPInstanceUID, seg.SeriesInstanceUID = generate_uid(), generate_uid()
        seg.file_meta.MediaStorageSOPInstanceUID = seg.SOPInstanceUID
        seg.ContentCreatorName = "Roentgen^Wilhelm"
        del seg.ContributingEquipmentSequence
        for segment in seg.SegmentSequence:
            segment.SegmentAlgorithmType = "MANUAL"
            del segment.TrackingUID, segment.TrackingID
        return seg

    def ours(self, kind: str, job: str = JOB) -> Dataset:
        """The object of this kind that the job made."""
        with self.database.reading() as tx:
            (made,) = [result for result in tx.results.of_job(job) if result.kind == kind]
        return dcmread(self.archive.path(made.file))

    def told(self) -> list[tuple[str, str]]:
        """The study's journal: events with their texts."""
        with self.database.reading() as tx:
            return [(entry.event, entry.text) for entry in tx.journal.of_study(self.study)]

    def arrive(self, ds: Dataset, now: float, *, fetched: bool = False) -> str:
        """Store an object as the receiver does; its SOP Instance UID."""
        buffer = BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        whole = buffer.getvalue()
        start = META_AT + int.from_bytes(whole[META_AT - 4 : META_AT], "little")
        header = read_header(whole[start:], ds.file_meta.TransferSyntaxUID)
        file = self.archive.write(header.study_instance_uid, header.sop_instance_uid, [whole])
        instance = Instance(
            header.sop_instance_uid, header.sop_class_uid, header.series_instance_uid, header.study_instance_uid,
            str(ds.file_meta.TransferSyntaxUID), STORAGE_CLASSES[header.sop_class_uid], file, now, "",
            header.facts, fetched=fetched,
        )  # fmt: skip
        with self.database.transaction() as tx:
            tx.studies.add_instance(instance, header.study)
        return instance.sop_instance_uid

    def finish(self, labels: np.ndarray, job: str = JOB, kinds: Sequence[str] = ("seg",), **changes: Any) -> None:
        """A job that found these labels, with its objects of these kinds; a SEG where there is something."""
        inputs = {}
        for role, paths in self.paths.items():
            images = [dcmread(path, stop_before_pixels=True) for path in paths]
            inputs[role] = {"series": images[0].SeriesInstanceUID, "instances": [i.SOPInstanceUID for i in images]}
        made = self.objects(labels, job)
        findings = [{"label": s.SegmentLabel} for kind, ds in made if kind == "seg" for s in ds.SegmentSequence]
        values: dict[str, Any] = {
            "job_id": job, "study_instance_uid": self.study, "generation": 1, "route": "all", "task": self.task,
            "model": "net", "state": JobState.DONE, "priority": 0, "inputs": inputs, "parameters": {},
            "created_at": 20.0, "summary": {"findings": findings},
        } | changes  # fmt: skip
        with self.database.transaction() as tx:
            tx.jobs.add(Job(**values))
            for kind, ds in ((kind, ds) for kind, ds in made if kind in kinds):
                buffer = BytesIO()
                ds.save_as(buffer, enforce_file_format=True)
                file = self.archive.write(self.study, ds.SOPInstanceUID, [buffer.getvalue()], ours=True)
                tx.results.add(ResultObject(ds.SOPInstanceUID, ds.SOPClassUID, ds.SeriesInstanceUID, job, kind, file))


def liver_scene(database: Database, archive: Archive, folder: Path) -> Scene:
    """An oblique CT of which the job found FOUND."""
    study = StudyDetails.of("review")
    image = Volume((FOUND * 50.0).astype(np.float32), OBLIQUE, "HU")
    paths = {"CT": write_series(image, Acquisition.ct(study), folder / "ct")}
    scene = Scene(database, archive, folder, study.study_instance_uid, paths, "liver_tumour")
    return settled(scene)


def settled(scene: Scene) -> Scene:
    """Its images as rows, and the study dispatched."""
    for paths in scene.paths.values():
        for path in paths:
            scene.arrive(dcmread(path), 10.0)
    with scene.database.transaction() as tx:
        tx.studies.move(scene.study, StudyState.COMPLETE, 11.0)
        tx.studies.move(scene.study, StudyState.DISPATCHED, 12.0)
    return scene


@pytest.fixture
def scene(database: Database, archive: Archive, tmp_path: Path) -> Callable[..., Scene]:
    """`scene()` stores the study with its finished job; `scene(labels)` with a job that found other labels."""

    def make(labels: np.ndarray = FOUND, profile: Profile = STANDARD, **changes: Any) -> Scene:
        made = liver_scene(database, archive, tmp_path)
        made.profile = profile
        made.finish(labels, **changes)
        return made

    return make


@pytest.fixture
def send_back(database: Database, archive: Archive) -> Callable[..., Reviewed | None]:
    """`send_back(scene, object)` lets an object arrive and be read; the review that it became."""
    stage = Review(database, archive, revision=3)

    def run(scene: Scene, ds: Dataset, now: float = 100.0) -> Reviewed | None:
        uid = scene.arrive(ds, now)
        assert stage.step(now + 1)
        assert not stage.step(now + 2), "it is read once"
        with scene.database.reading() as tx:
            assert tx.studies.get(scene.study).state is StudyState.DISPATCHED, "it re-opens nothing"
            return next((one for one in tx.reviews.of_study(scene.study) if one.sop_instance_uid == uid), None)

    return run


def assert_no_review(scene: Scene, send_back: Callable[..., Reviewed | None], ds: Dataset, why: str) -> None:
    """An object that is sent back becomes no review: the journal says so once, with the reason, and names nobody."""
    assert send_back(scene, ds) is None
    ((event, text),) = scene.told()
    assert event == "no review"
    assert why in text
    assert "Roentgen" not in text
