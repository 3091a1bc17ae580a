"""An archive in memory that holds an earlier study with a result of ours, and sends what it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from reviewing import FOUND, OBLIQUE, Scene

from dicom_node.errors import PeerError
from dicom_node.network.earlier import Earlier, Search, look_for
from dicom_node.network.headers.header import read_header
from dicom_node.network.query import InstanceAnswer, PatientStudy, SeriesAnswer
from dicom_node.network.retrieve import Brought
from dicom_node.network.survey import Survey
from dicom_node.patient import Patient
from inference.volume import Volume
from inference.writers.acquisition import Patient as Written
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series
from storage.archive import Archive
from storage.database import Database
from storage.files.part10 import META_AT
from storage.records import Instance, InstanceKind

WHO = Written(name="Roentgen^Anna", patient_id="P-1845", birth_date="18450327", sex="F")
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@dataclass
class EarlierStudy:
    """An earlier study as files: its images in slice order, and the segmentation that we made of them."""

    study: str
    images: list[Dataset]
    seg: Dataset

    @property
    def everything(self) -> list[Dataset]:
        return [*self.images, self.seg]


def earlier_study(folder: Path, seed: str = "earlier", date: str = "20240105", patient: Written = WHO) -> EarlierStudy:
    """An oblique CT with three tumours, and its SEG."""
    study = StudyDetails.of(seed, patient=patient, date=date)
    image = Volume((FOUND * 50.0).astype("float32"), OBLIQUE, "HU")
    paths = write_series(image, Acquisition.ct(study), folder / seed)
    scene = Scene(None, None, folder, study.study_instance_uid, {"CT": paths}, "liver_tumour")  # type: ignore[arg-type]
    seg = scene.seg(FOUND, job=f"{seed:-<64}")
    return EarlierStudy(study.study_instance_uid, [dcmread(path) for path in paths], seg)


def changed(seg: Dataset, **elements: Any) -> Dataset:
    """Another object with these elements, in a series of its own."""
    other = deepcopy(seg)
    other.SOPInstanceUID, other.SeriesInstanceUID = generate_uid(), generate_uid()
    for keyword, value in elements.items():
        setattr(other, keyword, value)
    return other


def store(database: Database, archive: Archive, ds: Dataset, *, fetched: bool = False, now: float = 10.0) -> None:
    """Keep an object as the receiver does."""
    buffer = BytesIO()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(buffer, enforce_file_format=True)
    whole = buffer.getvalue()
    start = META_AT + int.from_bytes(whole[META_AT - 4 : META_AT], "little")
    syntax = str(ds.file_meta.TransferSyntaxUID)
    header = read_header(whole[start:], syntax)
    file = archive.write(header.study_instance_uid, header.sop_instance_uid, [whole])
    kind = InstanceKind.SEGMENTATION if ds.Modality == "SEG" else InstanceKind.IMAGE
    instance = Instance(
        header.sop_instance_uid, header.sop_class_uid, header.series_instance_uid, header.study_instance_uid, syntax,
        kind, file, now, "", header.facts, fetched=fetched,
    )  # fmt: skip
    with database.transaction() as tx:
        tx.studies.add_instance(instance, header.study)


@dataclass
class FakePacs:
    """Holds objects, answers questions about them, and sends what it is asked for; `error` it raises instead.

    `keeps` are SOP instances that it lists and does not send, `fails` those that it says it cannot send, and `said`
    what it says of patients whatever it holds.
    """

    database: Database
    archive: Archive
    held: list[Dataset] = field(default_factory=list)
    keeps: set[str] = field(default_factory=set)
    fails: set[str] = field(default_factory=set)
    said: Patient | None = None
    error: PeerError | None = None
    silent_retrieval: PeerError | None = None
    searches: list[Search] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    while_sending: Callable[[], None] = lambda: None

    def earlier(self, search: Search, limit_s: float) -> Earlier:
        assert limit_s > 0
        self.searches.append(search)
        if self.error is not None:
            raise self.error
        return look_for(self, search)  # type: ignore[arg-type]

    def retrieve(self, study_uid: str, survey: Survey, how: str, limit_s: float, told: Any) -> Brought:
        assert limit_s > 0
        self.while_sending()
        failed = 0
        for gap in survey.gaps:
            for ds in self.held:
                named = not gap.here or ds.SOPInstanceUID in gap.sop_class_uids
                if ds.SeriesInstanceUID != gap.series_instance_uid or not named:
                    continue
                if ds.SOPInstanceUID in self.fails:
                    failed += 1
                elif ds.SOPInstanceUID not in self.keeps:
                    self.sent.append(str(ds.SOPInstanceUID))
                    store(self.database, self.archive, ds, fetched=True)
        if self.silent_retrieval is not None:
            raise self.silent_retrieval
        return Brought(len(self.sent), failed)

    def of_patient(self, patient_id: str, dates: str) -> list[PatientStudy]:
        studies = {str(ds.StudyInstanceUID): ds for ds in self.held}
        return [
            PatientStudy(uid, ds.StudyDate, ds.StudyTime, ("CT", "SEG"), self.said or _patient(ds))
            for uid, ds in studies.items()
        ]

    def series(self, uid: str, *, maker: bool) -> list[SeriesAnswer]:
        found = {str(ds.SeriesInstanceUID): ds.Modality for ds in self.held if ds.StudyInstanceUID == uid}
        return [SeriesAnswer(series, modality, None) for series, modality in found.items()]

    def instances(self, study: str, series: str) -> list[InstanceAnswer]:
        return [
            InstanceAnswer(str(ds.SOPInstanceUID), str(ds.SOPClassUID))
            for ds in self.held
            if ds.SeriesInstanceUID == series
        ]


def _patient(ds: Dataset) -> Patient:
    return replace(Patient(), patient_id=ds.PatientID, birth_date=ds.PatientBirthDate, sex=ds.PatientSex)
