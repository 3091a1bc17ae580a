"""Study Root C-FIND as a user: what a peer holds (PS3.4 C.4.1).

Answers are bounded in number and read like everything that comes from strangers; what is no UID is left out. A peer
that asks other archives may tell of one study or series twice.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from dicom_node.errors import PeerError, Refused, Unreachable
from dicom_node.network import proposals
from dicom_node.network.client import ANSWER_S, open_association
from dicom_node.network.headers.elements import PARSE_FAULTS, count_of, value_of
from dicom_node.network.peer import Peer
from dicom_node.network.query_statuses import goes_on
from dicom_node.patient import Patient
from storage.errors import BadIdentifier
from storage.identifiers import check_uid

MAX_ANSWERS = 50_000  # a study of more images, or a day of more studies, is not believed


@dataclass(frozen=True)
class StudyAnswer:
    """A study that a peer holds; counts are None where it does not tell them."""

    study_instance_uid: str
    date: str
    description: str
    modalities: tuple[str, ...]
    series: int | None
    instances: int | None


@dataclass(frozen=True)
class PatientStudy:
    """A study that a peer holds of whoever bears an ID, and who that is in the peer's words."""

    study_instance_uid: str
    date: str
    time: str
    modalities: tuple[str, ...]
    patient: Patient


@dataclass(frozen=True)
class SeriesAnswer:
    """A series that a peer holds; `manufacturer` only where it was asked for and is told."""

    series_instance_uid: str
    modality: str
    instances: int | None
    manufacturer: str = ""


@dataclass(frozen=True)
class InstanceAnswer:
    """An instance that a peer holds; `sop_class_uid` is empty where it does not tell that."""

    sop_instance_uid: str
    sop_class_uid: str


@dataclass(frozen=True)
class Question:
    """One C-FIND as the audit trail tells it: the identifier as it was sent, and how it failed, "" where it did not."""

    peer: Peer
    sop_class_uid: str
    identifier: bytes = field(repr=False)
    transfer_syntax_uid: str
    trouble: str = ""


Witness = Callable[[Question], None]


class Asking:
    """An association that answers C-FIND, for `limit_s` seconds; `witness` hears of each question."""

    def __init__(
        self, association: Association, peer: Peer, witness: Witness | None = None, limit_s: float = math.inf
    ) -> None:
        self._association = association
        self._peer = peer
        self._witness = witness
        self._limit_s = limit_s
        self._end = time.monotonic() + limit_s

    def studies(self, uid: str = "", dates: str = "", modality: str = "") -> list[StudyAnswer]:
        """Studies by UID, or by date (YYYYMMDD or YYYYMMDD-YYYYMMDD) and modality."""
        keys = {"StudyInstanceUID": uid, "StudyDate": dates, "ModalitiesInStudy": modality}
        more = ("StudyDescription", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances")
        answers = {
            found: StudyAnswer(
                study_instance_uid=found,
                date=_text(data, "StudyDate"),
                description=_text(data, "StudyDescription"),
                modalities=_texts(data, "ModalitiesInStudy"),
                series=_count(data, "NumberOfStudyRelatedSeries"),
                instances=_count(data, "NumberOfStudyRelatedInstances"),
            )
            for found, data in self._find("STUDY", "StudyInstanceUID", keys | dict.fromkeys(more, ""))
        }
        return list(answers.values())

    def of_patient(self, patient_id: str, dates: str) -> list[PatientStudy]:
        """Studies of this ID within these dates, as the peer matches them; the caller compares (PS3.4 C.6.2.1)."""
        keys = {"PatientID": patient_id, "StudyDate": dates} | dict.fromkeys(
            ("StudyInstanceUID", "StudyTime", "ModalitiesInStudy", "IssuerOfPatientID", "PatientBirthDate",
             "PatientSex"), ""
        )  # fmt: skip
        if not patient_id.isascii():
            keys["SpecificCharacterSet"] = "ISO_IR 192"
        who = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
        return [
            PatientStudy(
                study_instance_uid=found,
                date=_text(data, "StudyDate"),
                time=_text(data, "StudyTime"),
                modalities=_texts(data, "ModalitiesInStudy"),
                patient=Patient.of({keyword: _text(data, keyword) for keyword in who}),
            )
            for found, data in self._find("STUDY", "StudyInstanceUID", keys)
        ]

    def series(self, study_uid: str, *, maker: bool = False) -> list[SeriesAnswer]:
        """The series of a study, with the maker of each where that is wanted; none where the peer does not hold it.

        Of one that is told twice the count is known where both agree.
        """
        counts = "NumberOfSeriesRelatedInstances"
        wanted = ("SeriesInstanceUID", "Modality", counts, *(("Manufacturer",) if maker else ()))
        keys = dict.fromkeys(wanted, "") | {"StudyInstanceUID": study_uid}
        answers: dict[str, SeriesAnswer] = {}
        for uid, data in self._find("SERIES", "SeriesInstanceUID", keys):
            number = _count(data, counts)
            told = SeriesAnswer(uid, _text(data, "Modality").upper(), number, _text(data, "Manufacturer"))
            before = answers.setdefault(uid, told)
            if before.instances != number:
                answers[uid] = replace(before, instances=None)
        return list(answers.values())

    def instances(self, study_uid: str, series_uid: str) -> list[InstanceAnswer]:
        """The instances of a series."""
        keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, "SOPInstanceUID": "", "SOPClassUID": ""}
        found = self._find("IMAGE", "SOPInstanceUID", keys)
        return [InstanceAnswer(uid, _text(data, "SOPClassUID")) for uid, data in found]

    def _find(self, level: str, unique: str, keys: Mapping[str, str]) -> Iterator[tuple[str, Dataset]]:
        query = Dataset()
        query.QueryRetrieveLevel = level
        for keyword, value in keys.items():
            setattr(query, keyword, value)
        if not self._association.is_established:
            raise Unreachable(f"{self._peer} ended the association before it was asked")
        trouble = "its answer was not awaited"
        try:
            yield from self._answers(query, unique)
            trouble = ""
        except PeerError as error:
            trouble = str(error)
            raise
        finally:
            self._tell(query, trouble)

    def _answers(self, query: Dataset, unique: str) -> Iterator[tuple[str, Dataset]]:
        self._association.dimse_timeout = max(0.1, min(ANSWER_S, self._end - time.monotonic()))
        given = self._association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind)
        for number, (status, identifier) in enumerate(given, start=1):
            if not goes_on(status, self._peer, "C-FIND"):
                return
            if time.monotonic() > self._end:
                self._association.abort()
                raise Unreachable(f"{self._peer} has not answered within {self._limit_s:.0f} s")
            if number > MAX_ANSWERS:
                self._association.abort()
                raise Refused(f"{self._peer} gives more than {MAX_ANSWERS} answers to one question")
            if identifier is not None and (uid := _uid(identifier, unique)):
                yield uid, identifier

    def _tell(self, query: Dataset, trouble: str) -> None:
        if self._witness is None:
            return
        model = StudyRootQueryRetrieveInformationModelFind
        syntaxes = [cx.transfer_syntax[0] for cx in self._association.accepted_contexts if cx.abstract_syntax == model]
        syntax = UID(syntaxes[0])
        sent = encode(query, syntax.is_implicit_VR, syntax.is_little_endian) or b""
        self._witness(Question(self._peer, model, sent, syntax, trouble))


@contextmanager
def asking(
    peer: Peer, calling_aet: str, witness: Witness | None = None, limit_s: float = math.inf
) -> Iterator[Asking]:
    """Ask a peer by C-FIND, for `limit_s` seconds; `Unreachable`, or `Refused` where it does not offer that."""
    with open_association(peer, calling_aet, proposals.find(), limit_s=limit_s) as association:
        if association is None:
            raise Refused(f"{peer} does not offer C-FIND")
        yield Asking(association, peer, witness, limit_s)


def _uid(data: Dataset, keyword: str) -> str:
    try:
        return check_uid(_text(data, keyword))
    except BadIdentifier:
        return ""


def _text(data: Dataset, keyword: str) -> str:
    return "\\".join(_texts(data, keyword))


def _texts(data: Dataset, keyword: str) -> tuple[str, ...]:
    try:
        value = value_of(data, keyword)
    except PARSE_FAULTS:
        return ()
    values = value if isinstance(value, list) else [value]
    return tuple(str(one).strip() for one in values if one is not None)


def _count(data: Dataset, keyword: str) -> int | None:
    return count_of(_text(data, keyword))
