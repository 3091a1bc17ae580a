"""Whose study it is: shown to those who may know, masked for the others, in whatever a view says.

Views name no patient by themselves. But people write names where a description belongs, and peers send words back;
so for those who may not know, every text of a view is looked through for what the study's header says of its patient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from storage.arriving.headers import FORMER

HIDDEN = "hidden"

IDENTITY = {
    "name": "PatientName",
    "id": "PatientID",
    "birth_date": "PatientBirthDate",
    "accession": "AccessionNumber",
    "referrer": "ReferringPhysicianName",
}
SHORTEST_NAME, SHORTEST_NUMBER = 2, 3  # a part of a name, a number: what is shorter would be found everywhere
# Thai, Chinese, Japanese and Korean, whose words need no space between them; and the letters and digits of all others,
# with which a word goes on.
SPACELESS = r"\u0e00-\u0e7f\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f"
GOES_ON = rf"[^\W_{SPACELESS}]"

# What is no free text: identifiers of ours and of DICOM, words of ours, names from the configuration.
OURS = frozenset(
    {
        "study", "series", "job", "state", "event", "kind", "task", "route", "model", "destination", "via",
        "sop_instance_uid", "transaction", "peer", "step", "mark", "device", "purpose", "modality", "assessment",
    }
)


def patient_view(header: Mapping[str, Any], *, shown: bool) -> dict[str, Any]:
    """Who the study says that it is about; what would tell whom is `HIDDEN` unless it may be shown."""
    told = {key: _text(header, keyword) for key, keyword in IDENTITY.items()}
    if not shown:
        told = {key: HIDDEN if value else "" for key, value in told.items()}
    told["name"] = readable(told["name"])
    return {**told, "sex": _text(header, "PatientSex"), "shown": shown}


def readable(name: str) -> str:
    """A person's name (PS3.5 6.2, PN) as people write it: family name, given names."""
    family, *others = name.partition("=")[0].split("^")
    rest = " ".join(part for part in others[:2] if part)
    return f"{family}, {rest}" if rest else family


def masked(view: Any, header: Mapping[str, Any]) -> Any:
    """`view` without a word of it that `header` says of its patient."""
    pattern = said_of(header)
    return view if pattern is None else _masked(view, pattern)


def said_of(header: Mapping[str, Any]) -> re.Pattern[str] | None:
    """What finds the words that `header` says of its patient in a text; None where it says none."""
    words = sorted(set(identifying(header)), key=len, reverse=True)
    if not words:
        return None
    found = "|".join(map(re.escape, words))
    return re.compile(rf"(?<!{GOES_ON})(?<!\d\.)(?:{found})(?!{GOES_ON}|(?<=\d)\.\d)", re.IGNORECASE)


def _masked(view: Any, pattern: re.Pattern[str]) -> Any:
    if isinstance(view, str):
        return pattern.sub(HIDDEN, view)
    if isinstance(view, Mapping):
        return {key: value if _is_ours(key, value) else _masked(value, pattern) for key, value in view.items()}
    if isinstance(view, list | tuple):
        return [_masked(one, pattern) for one in view]
    return view


def _is_ours(key: object, value: object) -> bool:
    return key in OURS and isinstance(value, str)


def identifying(header: Mapping[str, Any]) -> Iterator[str]:
    """Words by which the patient could be told, or whom the study was taken for before its header was corrected."""
    for keyword in ("PatientName", "ReferringPhysicianName"):
        for name in _text(header, keyword).split("="):
            parts = re.split(r"[\^\s,]+", name)
            halves = re.split(r"[-'’.\^\s,]+", name)  # of double names, which people shorten
            yield from (part for part in (*parts, *halves, "".join(parts)) if len(part) >= SHORTEST_NAME)
    for keyword in ("PatientID", "AccessionNumber"):
        number = _text(header, keyword)
        if len(number) >= SHORTEST_NUMBER:
            yield number
    birth = _text(header, "PatientBirthDate")
    if len(birth) == 8:
        yield birth
        yield from _written(birth[:4], birth[4:6], birth[6:])
    for former in header.get(FORMER) or ():
        yield from identifying(former)


def _written(year: str, month: str, day: str) -> Iterator[str]:
    """A date as people in any country write it, with and without zeros before."""
    for m, d in ((month, day), (month.lstrip("0"), day.lstrip("0"))):
        yield from (between.join(order) for order in ((year, m, d), (d, m, year), (m, d, year)) for between in "-./")


def _text(header: Mapping[str, Any], keyword: str) -> str:
    return str(header.get(keyword) or "").strip()
