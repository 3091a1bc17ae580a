"""A peer's own words on an instance, without the patient: archives like to quote what they do not like."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydicom import dcmread

from dicom_node.errors import PeerError

LONGEST_COMMENT = 64  # Error Comment (0000,0902) is LO (PS3.7 E.2)
SHORTEST_WORD = 3
PATIENT = ("PatientName", "PatientID", "OtherPatientNames", "PatientBirthName")
QUOTABLE = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber")  # of what is kept of a study
HIDDEN = "…"


def discreet(comment: str, path: Path) -> str:
    """`comment` without the patient of the file at `path`."""
    comment = comment[:LONGEST_COMMENT]
    if not comment:
        return ""
    header = dcmread(path, stop_before_pixels=True, specific_tags=list(PATIENT))
    return hushed(comment, [str(header.get(keyword) or "") for keyword in PATIENT])


def in_words(error: PeerError, study_header: Mapping[str, Any]) -> str:
    """What a peer has answered when it was asked about a study, without the patient whom the study's header names.

    Where that names nobody, who can tell what of the peer's own words is the patient's? They are left out.
    """
    known = [str(study_header.get(keyword) or "") for keyword in QUOTABLE]
    said = f"{error} ({error.quote[:LONGEST_COMMENT]})" if error.quote and any(known) else str(error)
    return hushed(said, known)


def hushed(comment: str, texts: Sequence[str]) -> str:
    """`comment` without the words of `texts`, pieces of them, and every date of eight digits."""
    words = {word for text in texts for word in (text, *re.split(r"[\\^=\s]+", text)) if len(word) >= SHORTEST_WORD}
    for word in sorted(words, key=len, reverse=True):
        comment = re.sub(re.escape(word), HIDDEN, comment, flags=re.IGNORECASE)
    known = "\n".join(texts).casefold()
    comment = re.sub(r"[^\s,;:()'\"]+", lambda word: HIDDEN if _is_of(word.group(), known) else word.group(), comment)
    return re.sub(r"\b\d{4}([-./]?)\d\d\1\d\d\b", HIDDEN, comment)


def _is_of(word: str, known: str) -> bool:
    """True where a word is a part of what is known of the patient: some peers quote only a piece."""
    return len(word) >= SHORTEST_WORD and word.casefold() in known
