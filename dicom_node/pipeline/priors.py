"""Which earlier result of the same patient a new one is compared with; chosen at dispatch: a rerun has the same one.

Of what is here and what an archive brought for this study (`recall`) the newest is chosen. It is of an earlier day:
two scans of one day differ in phase or contrast, and what only one of them shows has neither come nor gone.

A patient ID alone proves no identity: the birth date must be known on both sides and agree, and sex and issuer must
not contradict. A study of another patient under this ID is never used, and that is said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from dicom_node.patient import Patient
from inference.tasks import TASKS
from storage.arriving.recalls import Prior as Recalled
from storage.arriving.rejections import RETENTION_EXPIRED
from storage.database import Transaction
from storage.lifecycle import JobMark, JobState
from storage.records import Instance, Job, ResultObject, StoredFile, Study

SEG = "seg"


class Earlier(NamedTuple):
    """A study of the patient's, and when it was taken."""

    taken: datetime
    study: Study


class Held(NamedTuple):
    """Images and segmentations of a prior by SOP Instance UID; `lacks` says why they will not do, "" where they do."""

    images: Mapping[str, Instance]
    segs: Mapping[str, StoredFile]
    lacks: str


@dataclass(frozen=True)
class Priors:
    """A patient's studies of days before `taken`, when the one in question was taken, the newest first.

    `remarks` say which studies under his ID were left out.
    """

    taken: date | None = None
    earlier: tuple[Earlier, ...] = ()
    remarks: tuple[str, ...] = ()
    recalled: tuple[Recalled, ...] = ()

    def of_task(self, tx: Transaction, task: str) -> dict[str, Any] | None:
        """The newest result of this task as a job's parameters name it; None where there is none.

        What was made here goes before what an archive brought of the same day: it is as good, and knows its job.
        """
        own, brought = self._own(tx, task), self._brought(tx, task)
        return max((one for one in (own, brought) if one), key=lambda one: str(one["taken"]), default=None)

    def unsettled(self, tx: Transaction, task: str, closed: Collection[str] = ()) -> list[Earlier]:
        """Those that may yet get a result of this task, the newest first; none by a job of a model in `closed`."""
        if not self.earlier:
            return []
        found = tx.prior_waits.unsettled([one.study.study_instance_uid for one in self.earlier], task, closed)
        return [one for one in self.earlier if one.study.study_instance_uid in found]

    def _own(self, tx: Transaction, task: str) -> dict[str, Any] | None:
        for taken, study in self.earlier:
            for job in reversed(tx.jobs.of_study(study.study_instance_uid)):
                if _usable(job, task) and (segs := segmentations(tx, job)) is not None:
                    source = job.inputs[TASKS[task].primary]
                    return {
                        "study": study.study_instance_uid,
                        "job": job.job_id,
                        "segs": [seg.sop_instance_uid for seg in segs],
                        "series": source["series"],
                        "instances": list(source["instances"]),
                        "taken": taken.date().isoformat(),
                        "current_taken": self._current,
                    }
        return None

    def _brought(self, tx: Transaction, task: str) -> dict[str, Any] | None:
        """The newest segmentation that an archive brought, or those of one job where it made one a segment."""
        of_task = [one for one in self.recalled if one.task == task and "" < _day(one.taken) < self._current]
        if not of_task:
            return None
        newest = max(of_task, key=lambda one: (one.taken, one.made))
        alike = [one for one in of_task if replace(one, seg=newest.seg) == newest]
        made = tx.results.find(newest.seg)  # its job is known here even where retention removed its files
        return {
            "study": newest.study,
            "job": made.job_id if made else None,
            "segs": [one.seg for one in alike],
            "series": newest.series,
            "instances": list(newest.instances),
            "taken": _day(newest.taken),
            "current_taken": self._current,
        }

    @property
    def _current(self) -> str:
        return self.taken.isoformat() if self.taken else ""


def priors_of(tx: Transaction, study: Study) -> Priors:
    """The patient's earlier studies that are here; none where his ID, birth date or the study's date is not known."""
    patient, moment = str(study.header.get("PatientID") or "").strip(), taken_at(study.header)
    if not patient or moment is None or not study.header.get("PatientBirthDate"):
        return Priors()
    earlier, remarks = [], []
    for other in tx.studies.of_patient(patient):
        uid = other.study_instance_uid
        if uid == study.study_instance_uid:
            continue
        if differing := contradictions(study.header, other.header):
            which = " and ".join(differing)
            remarks.append(f"study {uid} bears the same patient ID and another {which}: it is never compared with")
        elif (before := taken_at(other.header)) is not None and before.date() < moment.date():
            earlier.append(Earlier(before, other))
    earlier.sort(key=lambda one: (one.taken, one.study.study_instance_uid), reverse=True)
    recall = tx.recalls.find(study.study_instance_uid)
    return Priors(moment.date(), tuple(earlier), tuple(remarks), recall.found if recall else ())


def held_prior(tx: Transaction, study_uid: str, named: Mapping[str, Any]) -> Held:
    """What is here of a prior that a job of the study was given, and whether it is still one."""
    instances = tx.studies.instances(study_uid=named["study"], series_uid=named["series"])
    images = {image.sop_instance_uid: image for image in instances}
    arrived = {seg.sop_instance_uid: seg.file for seg in tx.studies.named(named["segs"])}
    made = {uid: result.file for uid in named["segs"] if (result := tx.results.find(uid)) and not result.removed_at}
    segs, lacks = arrived | made, ""
    if missing := sum(str(uid) not in images for uid in named["instances"]):
        lacks = f"{missing} of {len(named['instances'])} images of the prior are no longer held"
    elif any(uid not in segs for uid in named["segs"]):
        lacks = "the prior's segmentation is no longer held"
    return Held(images, segs, lacks or _speaks_against(tx, study_uid, named))


def _speaks_against(tx: Transaction, study_uid: str, named: Mapping[str, Any]) -> str:
    """What has come to light since the prior was chosen: a correction, or a note that rejects it; "" for nothing."""
    study, prior = tx.studies.find(study_uid), tx.studies.find(named["study"])
    if study is not None and prior is not None:
        same_id = Patient.of(study.header).patient_id == Patient.of(prior.header).patient_id
        if differing := ([] if same_id else ["patient ID"]) + contradictions(study.header, prior.header):
            return f"the prior bears another {' and '.join(differing)} by now"
    notes = [one for one in tx.rejections.of_study(named["study"]) if one.title != RETENTION_EXPIRED]
    rejected = {one.sop_instance_uid for one in notes} & {*named["instances"], *named["segs"]}
    return "the prior was rejected" if rejected else ""


def contradictions(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What keeps two study headers of one patient ID from being the same patient's, in words without values.

    More is asked here than that nothing contradicts: both must name a birth date.
    """
    first, second = Patient.of(one), Patient.of(other)
    unnamed = [] if first.birth_date and second.birth_date else ["birth date (none)"]
    return unnamed + first.differs_in(second)


def taken_at(header: Mapping[str, Any]) -> datetime | None:
    """A study's date and time (0008,0020), (0008,0030), to the second; None without a date, midnight without a time."""
    day, time = _digits(header.get("StudyDate"), 8), _digits(header.get("StudyTime"), 6)
    try:
        return datetime.strptime(day + time.ljust(6, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007 (local, as it was written)
    except ValueError:
        return None


def segmentations(tx: Transaction, job: Job) -> list[ResultObject] | None:
    """What holds the job's findings, in one form; none where it found nothing, None where it made or kept none."""
    segs = [result for result in tx.results.of_job(job.job_id) if result.kind == SEG and result.removed_at is None]
    form = min((seg.variant for seg in segs), default="")  # every form holds the same voxels
    if not segs and job.summary.get("findings"):
        return None
    return [seg for seg in segs if seg.variant == form]


def _usable(job: Job, task: str) -> bool:
    return (
        job.state is JobState.DONE
        and job.task == task
        and not job.rejects
        and job.mark is not JobMark.WITHDRAWN
        and TASKS[task].primary in job.inputs
    )


def _day(digits: str) -> str:
    """YYYYMMDD as YYYY-MM-DD; "" where it is no date."""
    moment = taken_at({"StudyDate": digits})
    return moment.date().isoformat() if moment else ""


def _digits(value: Any, most: int) -> str:
    text = str(value or "").split(".")[0]
    return text[:most] if text.isdigit() and text.isascii() else ""
