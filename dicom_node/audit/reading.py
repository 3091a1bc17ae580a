"""Audit messages read again: what our own messages.py writes (PS3.15 A.5.1), as facts."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from dicom_node.audit.facts import PATIENT_NUMBER, STUDY_UID, UNKNOWN, Code, Outcome

AE_TITLES = "AETITLES="


@dataclass(frozen=True)
class Party:
    """One who took part; `role` is of CID 402, "" where none is told."""

    user_id: str
    name: str
    ae_title: str
    address: str
    requestor: bool
    role: str

    def __str__(self) -> str:
        """The name by which people know it."""
        return self.name or self.ae_title or self.user_id


@dataclass(frozen=True)
class Subject:
    """What it was about: the code of the kind of identifier, the identifier, a name, details by type."""

    kind: str
    identifier: str
    name: str
    details: tuple[tuple[str, str], ...] = ()
    accession: str = ""
    instances: int = 0


@dataclass(frozen=True)
class Message:
    """One audit message; `at` in seconds since 1970."""

    at: float
    event: Code
    kind: Code | None
    outcome: Outcome
    reason: str
    parties: tuple[Party, ...]
    subjects: tuple[Subject, ...] = field(repr=False)

    @property
    def study_uid(self) -> str:
        """The study that it is about, "" where there is none."""
        found = self._subject(STUDY_UID)
        return found.identifier if found and found.identifier != UNKNOWN else ""

    @property
    def instances(self) -> int:
        """How many instances it tells of; 0 where that is not told."""
        found = self._subject(STUDY_UID)
        return found.instances if found else 0

    @property
    def patient(self) -> dict[str, str]:
        """Who the study is about, by the keywords of a study's header."""
        patient, study = self._subject(PATIENT_NUMBER), self._subject(STUDY_UID)
        told = {
            "PatientID": patient.identifier if patient else "",
            "PatientName": patient.name if patient else "",
            "AccessionNumber": study.accession if study else "",
        }
        return {keyword: value for keyword, value in told.items() if value not in ("", UNKNOWN)}

    def _subject(self, kind: Code) -> Subject | None:
        return next((one for one in self.subjects if one.kind == kind.value), None)


def read_message(xml: str | bytes) -> Message:
    """What a message says."""
    root = fromstring(xml)
    head = _child(root, "EventIdentification")
    kind = head.find("EventTypeCode")
    return Message(
        at=datetime.fromisoformat(head.attrib["EventDateTime"]).timestamp(),
        event=_code(_child(head, "EventID")),
        kind=_code(kind) if kind is not None else None,
        outcome=Outcome(int(head.attrib["EventOutcomeIndicator"])),
        reason=head.findtext("EventOutcomeDescription", ""),
        parties=tuple(map(_party, root.findall("ActiveParticipant"))),
        subjects=tuple(map(_subject, root.findall("ParticipantObjectIdentification"))),
    )


def _party(element: Element) -> Party:
    role = element.find("RoleIDCode")
    return Party(
        user_id=element.get("UserID", ""),
        name=element.get("UserName", ""),
        ae_title=element.get("AlternativeUserID", "").removeprefix(AE_TITLES),
        address=element.get("NetworkAccessPointID", ""),
        requestor=element.get("UserIsRequestor") == "true",
        role=_code(role).value if role is not None else "",
    )


def _subject(element: Element) -> Subject:
    description = element.find("ParticipantObjectDescription")
    counted = description.findall("SOPClass") if description is not None else []
    accession = description.find("Accession") if description is not None else None
    return Subject(
        kind=_code(_child(element, "ParticipantObjectIDTypeCode")).value,
        identifier=element.get("ParticipantObjectID", ""),
        name=element.findtext("ParticipantObjectName", ""),
        details=tuple(_details(element)),
        accession=accession.get("Number", "") if accession is not None else "",
        instances=sum(int(one.get("NumberOfInstances", "0")) for one in counted),
    )


def _details(element: Element) -> Iterator[tuple[str, str]]:
    for detail in element.findall("ParticipantObjectDetail"):
        yield detail.get("type", ""), base64.b64decode(detail.get("value", "")).decode("utf-8", "replace")


def _code(element: Element) -> Code:
    return Code(element.get("csd-code", ""), element.get("codeSystemName", ""), element.get("originalText", ""))


def _child(element: Element, name: str) -> Element:
    found = element.find(name)
    if found is None:
        raise ValueError(f"an audit message without {name}")
    return found
