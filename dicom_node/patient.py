"""Whether two studies are of one patient, as far as their headers tell. None of it is ever logged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

SEXES = ("M", "F", "O")  # the enumerated values (PS3.3 C.7.1.1); anything else says nothing


@dataclass(frozen=True)
class Patient:
    """Who a study says that it is about (PS3.3 C.7.1.1); what is empty is not said."""

    patient_id: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    sex: str = field(default="", repr=False)

    @classmethod
    def of(cls, header: Mapping[str, object]) -> Patient:
        """Of a study's attributes by keyword (`Study.header`)."""
        keywords = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
        return cls(*(str(header.get(keyword) or "").strip() for keyword in keywords))

    def is_one_with(self, other: Patient) -> bool:
        """The same ID, letter for letter, and nothing that contradicts: two hospitals may give one ID to two people."""
        if not self.patient_id or self.patient_id != other.patient_id:
            return False
        return not self.differs_in(other)

    def differs_in(self, other: Patient) -> list[str]:
        """What both say and say differently, in words without values."""
        pairs = (
            ("birth date", _digits(self.birth_date), _digits(other.birth_date)),
            ("sex", _sex(self.sex), _sex(other.sex)),
            ("issuer of the ID", self.issuer, other.issuer),
        )
        return [word for word, one, another in pairs if one and another and one != another]


def _digits(date: str) -> str:
    """A date without the dots of old versions of the standard (PS3.5 6.2, DA)."""
    return re.sub(r"\D", "", date)


def _sex(text: str) -> str:
    return text.upper() if text.upper() in SEXES else ""
