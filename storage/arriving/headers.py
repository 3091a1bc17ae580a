"""A study's header as its columns: the header itself, and what studies are found by.

The database's own JSON functions refuse escapes that damaged headers contain, so nothing is looked for in the header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.texts import plain

HEADER_COLUMNS = ("header", "patient_id", "found_by")
IDENTITY = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName")
FORMER = "OriginalAttributesSequence"  # (0400,0561): what these said before corrections, an item each


def header_columns(header: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `HEADER_COLUMNS`."""
    return {"header": dict(header), "patient_id": patient_id_of(header), "found_by": found_by(header)}


def corrected(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The header `new` in the place of `old`, with whom earlier ones named: sentences of then go on quoting that."""
    was = {keyword: old[keyword] for keyword in IDENTITY if old.get(keyword) and old[keyword] != new.get(keyword)}
    former = list(old.get(FORMER) or [])
    if was and was not in former:
        former.append(was)
    return {**new, FORMER: former} if former else dict(new)


def patient_id_of(header: Mapping[str, Any]) -> str:
    """The patient ID (0010,0020) as studies are found by it; "" where there is none."""
    return _text(header, "PatientID")


def found_by(header: Mapping[str, Any]) -> str:
    """Patient name, patient ID and accession number as a person's words are looked for in them; "" without any."""
    name = _text(header, "PatientName").replace("^", " ").replace("=", " ")
    return as_searched("\n".join((name, patient_id_of(header), _text(header, "AccessionNumber"))))


def as_searched(text: str) -> str:
    """Text as it is compared in a search: without the difference of small and capital letters."""
    return plain(text).strip().casefold()


def _text(header: Mapping[str, Any], keyword: str) -> str:
    return plain(str(header.get(keyword) or "")).strip()
