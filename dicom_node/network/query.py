"""Study Root C-FIND, C-MOVE and C-GET as a user: what a peer holds, and bringing images of it here (PS3.4 C).

Answers are bounded in number and read like everything that comes from strangers; what is no UID is left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dsutils import encode
from pynetdicom.events import Event
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from dicom_node.errors import PeerError, Refused, Unreachable
from dicom_node.network import proposals
from dicom_node.network.client import ANSWER_S, open_association
from dicom_node.network.elements import PARSE_FAULTS, count_of, value_of
from dicom_node.network.peer import Peer
from dicom_node.patient import Patient
from storage.errors import BadIdentifier
from storage.identifiers import check_uid

MAX_ANSWERS = 50_000  # a study of more images, or a day of more studies, is not believed
PENDING = (0xFF00, 0xFF01)
FAILED_IN_PART = 0xB000

# First and last code, whether asking again may help, and the words (PS3.4 C.4.1.1.4, C.4.2.1.5, C.4.3.1.4).
MEANINGS: tuple[tuple[int, int, bool, str], ...] = (
    (0x0110, 0x0110, True, "processing failure"),
    (0x0122, 0x0122, False, "SOP class not supported"),
    (0x0124, 0x0124, False, "not authorised"),
    (0x0210, 0x0213, True, "the peer's DIMSE service is in trouble"),
    (0xA700, 0xA700, True, "out of resources"),
    (0xA701, 0xA701, True, "out of resources: matches cannot be counted"),
    (0xA702, 0xA702, True, "out of resources: sub-operations cannot be performed"),
    (0xA801, 0xA801, False, "move destination unknown: the peer does not know our AE title"),
    (0xA900, 0xA900, False, "identifier does not match SOP class"),
    (0xB000, 0xB000, True, "one or more images could not be sent"),
    (0xC000, 0xCFFF, True, "unable to process"),
    (0xFE00, 0xFE00, True, "cancelled"),
)


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
class Parcel:
    """What one C-MOVE or C-GET asks for: instances of one series, or all of it where none are named."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: tuple[str, ...] = ()

    def identifier(self) -> Dataset:
        """The request's data set (PS3.4 C.4.2.1.4, unique keys by level)."""
        data = Dataset()
        data.QueryRetrieveLevel = "IMAGE" if self.sop_instance_uids else "SERIES"
        data.StudyInstanceUID = self.study_instance_uid
        data.SeriesInstanceUID = self.series_instance_uid
        if self.sop_instance_uids:
            data.SOPInstanceUID = list(self.sop_instance_uids)
        return data


@dataclass(frozen=True)
class Brought:
    """How many images a peer says it has sent, and how many it could not send."""

    completed: int = 0
    failed: int = 0

    def __add__(self, other: Brought) -> Brought:
        return Brought(self.completed + other.completed, self.failed + other.failed)


Told = Callable[[Brought], None]


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
        return [
            StudyAnswer(
                study_instance_uid=found,
                date=_text(data, "StudyDate"),
                description=_text(data, "StudyDescription"),
                modalities=_texts(data, "ModalitiesInStudy"),
                series=_count(data, "NumberOfStudyRelatedSeries"),
                instances=_count(data, "NumberOfStudyRelatedInstances"),
            )
            for found, data in self._find("STUDY", "StudyInstanceUID", keys | dict.fromkeys(more, ""))
        ]

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
        """The series of a study, with the maker of each where that is wanted; none where the peer does not hold it."""
        counts = "NumberOfSeriesRelatedInstances"
        wanted = ("SeriesInstanceUID", "Modality", counts, *(("Manufacturer",) if maker else ()))
        keys = dict.fromkeys(wanted, "") | {"StudyInstanceUID": study_uid}
        return [
            SeriesAnswer(uid, _text(data, "Modality").upper(), _count(data, counts), _text(data, "Manufacturer"))
            for uid, data in self._find("SERIES", "SeriesInstanceUID", keys)
        ]

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
            if not _goes_on(status, self._peer, "C-FIND"):
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


def move(peer: Peer, our_aet: str, parcels: Sequence[Parcel], limit_s: float, told: Told = lambda _: None) -> Brought:
    """Have a peer send `parcels` to our own AE title by C-MOVE; it must know that title, with our host and port.

    `Unreachable` where it does not answer, cannot now, or is not done within `limit_s` seconds; `Refused` where
    it will not.
    """
    with open_association(peer, our_aet, proposals.move(), limit_s=limit_s) as association:
        if association is None:
            raise Refused(f"{peer} does not offer C-MOVE")

        def ask(parcel: Parcel) -> Iterator[tuple[Dataset, Dataset | None]]:
            return association.send_c_move(parcel.identifier(), our_aet, StudyRootQueryRetrieveInformationModelMove)

        return _Transfer(association, peer, "C-MOVE", limit_s, told).run(parcels, ask, silence_s=limit_s)


def get(
    peer: Peer,
    calling_aet: str,
    parcels: Sequence[Parcel],
    keep: tuple[Sequence[str], Callable[[Event], int]],
    limit_s: float,
    told: Told = lambda _: None,
) -> Brought:
    """Bring `parcels` here by C-GET, over the association that asks for them.

    `keep` says which SOP classes may come, and what answers each C-STORE with a status. Raises like `move`.
    """
    classes, store = keep
    model = StudyRootQueryRetrieveInformationModelGet
    with open_association(peer, calling_aet, proposals.get(classes), limit_s=limit_s) as association:
        if association is None or not any(cx.abstract_syntax == model for cx in association.accepted_contexts):
            raise Refused(f"{peer} does not offer C-GET")
        association.bind(evt.EVT_C_STORE, store)

        def ask(parcel: Parcel) -> Iterator[tuple[Dataset, Dataset | None]]:
            return association.send_c_get(parcel.identifier(), model)

        return _Transfer(association, peer, "C-GET", limit_s, told).run(parcels, ask, silence_s=ANSWER_S)


@dataclass(frozen=True)
class _Transfer:
    """The requests of one retrieval, one after the other."""

    association: Association
    peer: Peer
    service: str
    limit_s: float
    told: Told

    def run(
        self,
        parcels: Sequence[Parcel],
        ask: Callable[[Parcel], Iterator[tuple[Dataset, Dataset | None]]],
        silence_s: float,
    ) -> Brought:
        """What came of all parcels; one that the peer could send in part is no error, its caller counts anew.

        One that it cannot or will not send keeps no other from being asked for, and is raised in the end.
        """
        end, total = time.monotonic() + self.limit_s, Brought()
        troubles: list[PeerError] = []
        for parcel in parcels:
            rest = end - time.monotonic()
            if rest <= 0 or not self.association.is_established:
                raise Unreachable(f"{self.peer} has not sent everything within {self.limit_s:.0f} s")
            self.association.dimse_timeout = min(silence_s, rest)
            try:
                total += self._answers(ask(parcel), total, end)
            except PeerError as trouble:
                if not self.association.is_established:
                    raise
                troubles.append(trouble)
        if troubles:
            raise troubles[0]
        return total

    def _answers(self, given: Iterator[tuple[Dataset, Dataset | None]], before: Brought, end: float) -> Brought:
        """What came of one parcel."""
        so_far = Brought()
        for status, _ in given:
            goes_on = _goes_on(status, self.peer, self.service)
            so_far = Brought(_suboperations(status, "Completed", "Warning"), _suboperations(status, "Failed"))
            self.told(before + so_far)
            if goes_on and time.monotonic() > end:
                self.association.abort()
                raise Unreachable(f"{self.peer} has not sent everything within {self.limit_s:.0f} s")
        return so_far


def _goes_on(status: Dataset, peer: Peer, service: str) -> bool:
    """Whether more answers follow; PeerError where the peer failed, in the standard's words."""
    if "Status" not in status:
        raise Unreachable(f"{peer} did not answer a {service}")
    code = int(status.Status)
    if code in PENDING:
        return True
    if code in (0x0000, FAILED_IN_PART):
        return False
    raise _trouble(code, peer, service, str(status.get("ErrorComment", "")))


def _trouble(code: int, peer: Peer, service: str, comment: str) -> PeerError:
    again, words = next(
        ((again, words) for first, last, again, words in MEANINGS if first <= code <= last),
        (False, "a status that the standard does not name"),
    )
    kind = Unreachable if again else Refused
    return kind(f"{peer} answers the {service} with 0x{code:04X}: {words}", quote=comment)


def _suboperations(status: Dataset, *kinds: str) -> int:
    return sum(int(status.get(f"NumberOf{kind}Suboperations", 0) or 0) for kind in kinds)


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
