"""Which earlier studies of a patient a peer holds that bear segmentations (Study Root C-FIND, PS3.4 C.6.2).

A peer may match more than it was asked for: every answer is compared again, and all of it is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dicom_node.network.query import Asking, PatientStudy, SeriesAnswer
from dicom_node.patient import Patient

LISTED = 50  # studies, the newest ones, whose series are asked for
LOOKED_INTO = 10  # … until so many bear segmentations
MAX_SEGMENTATIONS = 50  # series of them in one study


@dataclass(frozen=True)
class Search:
    """What is looked for: studies of `patient` from `first` (YYYYMMDD) to the day before `day`, the study's own.

    Where a peer says that somebody else than `maker` made a series of segmentations, that is left out; most say
    nothing.
    """

    study_instance_uid: str
    patient: Patient
    first: str
    day: str
    maker: str = ""


@dataclass(frozen=True)
class EarlierStudy:
    """A study that bears segmentations: the UIDs of all its series, and SOP classes by instance by series of these."""

    study_instance_uid: str
    date: str
    series: frozenset[str]
    segmentations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Earlier:
    """The studies, the newest first; and how many answers named another patient under this ID."""

    studies: tuple[EarlierStudy, ...] = ()
    strangers: int = 0


def look_for(ask: Asking, search: Search) -> Earlier:
    """Ask for the studies, and then for the series of the newest of them; PeerError."""
    answers = ask.of_patient(search.patient.patient_id, f"{search.first}-{search.day}")
    others = [one for one in answers if one.study_instance_uid != search.study_instance_uid]
    ours = [one for one in others if one.patient.is_one_with(search.patient)]
    fitting = [one for one in ours if _is_earlier(one, search) and "SEG" in (one.modalities or ("SEG",))]
    timely = list({one.study_instance_uid: one for one in fitting}.values())  # some peers tell of one study twice
    timely.sort(key=lambda one: (one.date, one.time, one.study_instance_uid), reverse=True)
    found: list[EarlierStudy] = []
    for study in timely[:LISTED]:
        if len(found) == LOOKED_INTO:
            break
        if (one := _segmented(ask, study, search.maker)) is not None:
            found.append(one)
    return Earlier(tuple(found), len(others) - len(ours))


def _is_earlier(study: PatientStudy, search: Search) -> bool:
    return re.fullmatch(r"\d{8}", study.date) is not None and search.first <= study.date < search.day


def _segmented(ask: Asking, study: PatientStudy, maker: str) -> EarlierStudy | None:
    uid = study.study_instance_uid
    series = ask.series(uid, maker=bool(maker))
    wanted = [one.series_instance_uid for one in series if _may_be_ours(one, maker)][:MAX_SEGMENTATIONS]
    if not wanted:
        return None
    listed = {one: {item.sop_instance_uid: item.sop_class_uid for item in ask.instances(uid, one)} for one in wanted}
    return EarlierStudy(uid, study.date, frozenset(one.series_instance_uid for one in series), listed)


def _may_be_ours(series: SeriesAnswer, maker: str) -> bool:
    said = series.manufacturer.casefold()
    return series.modality == "SEG" and (not said or maker.casefold() in said)
