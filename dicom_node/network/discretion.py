"""A peer's own words on an instance, without the patient: archives like to quote what they do not like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.multival import MultiValue

from dicom_node.errors import PeerError
from dicom_node.masking import said_of

LONGEST_COMMENT = 64  # Error Comment (0000,0902) is LO (PS3.7 E.2)
SHORTEST_WORD = 3
NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName")
QUOTABLE = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber")  # of what is kept of a study
HIDDEN = "…"


def discreet(comment: str, path: Path) -> str:
    """`comment` without the patient of the file at `path`."""
    comment = comment[:LONGEST_COMMENT]
    return hushed(comment, _header_of(path)) if comment else ""


def in_words(error: PeerError, study_header: Mapping[str, Any]) -> str:
    """What a peer has answered when it was asked about a study, without the patient whom the study's header names.

    Where that names nobody, who can tell what of the peer's own words is the patient's? They are left out.
    """
    known = any(study_header.get(keyword) for keyword in QUOTABLE)
    said = f"{error} ({error.quote[:LONGEST_COMMENT]})" if error.quote and known else str(error)
    return hushed(said, study_header)


def hushed(comment: str, header: Mapping[str, Any]) -> str:
    """`comment` without what `header` says of its patient, pieces of that, and every date of eight digits.

    A word of two letters may be a whole name (Wu, 山田), but is looked for by itself alone.
    """
    texts = [str(header.get(keyword) or "") for keyword in QUOTABLE]
    words = {word for text in texts for word in (text, *re.split(r"[\\^=\s]+", text)) if len(word) >= SHORTEST_WORD}
    for word in sorted(words, key=len, reverse=True):
        comment = re.sub(re.escape(word), HIDDEN, comment, flags=re.IGNORECASE)
    known = "\n".join(texts).casefold()
    comment = re.sub(r"[^\s,;:()'\"]+", lambda word: HIDDEN if _is_of(word.group(), known) else word.group(), comment)
    if (said := said_of(header)) is not None:
        comment = said.sub(HIDDEN, comment)
    return re.sub(r"\b\d{4}([-./]?)\d\d\1\d\d\b", HIDDEN, comment)


def _header_of(path: Path) -> dict[str, str]:
    """What a file says of its patient; all names as one, as groups of letters are (PS3.5 6.2.1)."""
    others = (*QUOTABLE[1:], "ReferringPhysicianName")
    header = dcmread(path, stop_before_pixels=True, specific_tags=[*NAMES, *others])
    names = (name for keyword in NAMES if (name := header.get(keyword)))
    each = (str(one) for name in names for one in (name if isinstance(name, MultiValue) else [name]))
    return {"PatientName": "=".join(each), **{keyword: str(header.get(keyword) or "") for keyword in others}}


def _is_of(word: str, known: str) -> bool:
    """True where a word is a part of what is known of the patient: some peers quote only a piece."""
    return len(word) >= SHORTEST_WORD and word.casefold() in known
