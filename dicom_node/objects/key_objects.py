"""Reading the Key Object Selections that arrive: which are rejection notes (IHE RAD TF-3 4.66), and what they name.

They come from strangers: sizes are bounded before memory is taken, and nothing but `BadNote` is raised, or
`Unavailable` where the disk fails.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from dicom_node.errors import NodeError
from dicom_node.network.headers.elements import PARSE_FAULTS
from dicom_node.objects.stored import data_set_in
from storage.arriving import rejections
from storage.errors import BadIdentifier, Unavailable
from storage.identifiers import check_uid

MAX_NOTE_BYTES = 16 * 1024 * 1024
MAX_NAMED = 100_000


class BadNote(NodeError):
    """A rejection note that cannot be followed; the text says why and names no value."""


class Title(StrEnum):
    """Document titles that make a Key Object Selection a rejection note (CID 7010, scheme DCM)."""

    QUALITY = "113001"
    PATIENT_SAFETY = "113037"
    WRONG_WORKLIST_ENTRY = "113038"
    RETENTION_EXPIRED = rejections.RETENTION_EXPIRED

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Title.QUALITY: "Rejected for Quality Reasons",
    Title.PATIENT_SAFETY: "Rejected for Patient Safety Reasons",
    Title.WRONG_WORKLIST_ENTRY: "Incorrect Modality Worklist Entry",
    Title.RETENTION_EXPIRED: "Data Retention Policy Expired",
}


@dataclass(frozen=True)
class RejectionNote:
    """What a note rejects: SOP instance UIDs by study."""

    title: Title
    named: dict[str, frozenset[str]]


def read_rejection(path: Path, transfer_syntax: str) -> RejectionNote | None:
    """The note in a stored Key Object Selection; None where its title rejects nothing. BadNote, Unavailable."""
    try:
        if path.stat().st_size > MAX_NOTE_BYTES:
            raise BadNote(f"it is larger than {MAX_NOTE_BYTES} bytes")
        syntax = UID(transfer_syntax)
        with path.open("rb") as file:
            stream, start = data_set_in(file, syntax, MAX_NOTE_BYTES)
            stream.seek(start)
            note = read_dataset(stream, syntax.is_implicit_VR, syntax.is_little_endian)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom quotes the values that it complains about
            title = _title(note)
            return None if title is None else RejectionNote(title, _named(note))
    except BadIdentifier:
        raise BadNote("it names what is no UID") from None
    except FileNotFoundError:
        raise BadNote("it is no longer held") from None
    except OSError as trouble:
        if trouble.errno is None:  # pydicom's own, where a sequence ends too soon
            raise BadNote("it cannot be parsed (it ends too soon)") from None
        raise Unavailable(f"the archive's disk failed: {trouble.strerror}") from trouble
    except PARSE_FAULTS as fault:
        raise BadNote(f"it cannot be parsed ({type(fault).__name__})") from None


def _title(note: Dataset) -> Title | None:
    names = note.get("ConceptNameCodeSequence")
    if not names or names[0].get("CodingSchemeDesignator") != "DCM":
        return None
    value = str(names[0].get("CodeValue"))
    return Title(value) if value in set(Title) else None


def _named(note: Dataset) -> dict[str, frozenset[str]]:
    """What the content selects; the evidence says in which study each lies (PS3.3 C.17.6.2.1)."""
    study_of = dict(_evidence(note))
    selected = {
        check_uid(str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID))
        for item in note.get("ContentSequence") or ()
        if item.get("ValueType") in ("IMAGE", "COMPOSITE", "WAVEFORM")
    }
    if len(selected) > MAX_NAMED:
        raise BadNote(f"it names more than {MAX_NAMED} instances")
    if not selected:
        raise BadNote("it names no instance")
    if selected - study_of.keys():
        raise BadNote("it selects instances that its evidence lacks")
    named: dict[str, set[str]] = {}
    for uid in selected:
        named.setdefault(study_of[uid], set()).add(uid)
    return {study: frozenset(uids) for study, uids in named.items()}


def _evidence(note: Dataset) -> Iterator[tuple[str, str]]:
    count = 0
    for study in note.get("CurrentRequestedProcedureEvidenceSequence") or ():
        uid = check_uid(str(study.StudyInstanceUID))
        for series in study.ReferencedSeriesSequence:
            for item in series.ReferencedSOPSequence:
                count += 1
                if count > MAX_NAMED:
                    raise BadNote(f"it names more than {MAX_NAMED} instances")
                yield check_uid(str(item.ReferencedSOPInstanceUID)), uid
