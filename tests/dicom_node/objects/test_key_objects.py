"""What a Key Object Selection rejects; nothing hostile in it is followed. dicom_node.objects.stored bounds it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.objects import key_objects
from dicom_node.objects.key_objects import BadNote, RejectionNote, Title, read_rejection
from storage.errors import Unavailable
from storage.files.part10 import META_AT

TITLES = {
    Title.QUALITY: codes.DCM.RejectedForQualityReasons,
    Title.PATIENT_SAFETY: codes.DCM.RejectedForPatientSafetyReasons,
    Title.WRONG_WORKLIST_ENTRY: codes.DCM.IncorrectModalityWorklistEntry,
    Title.RETENTION_EXPIRED: codes.DCM.DataRetentionPolicyExpired,
}
STUDY = "1.2.3"


def reference(number: int) -> Dataset:
    item = Dataset()
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
                    "StudyDate", "StudyTime"):
        setattr(item, keyword, "")
    item.StudyInstanceUID, item.SeriesInstanceUID = STUDY, f"{STUDY}.1"
    item.SOPClassUID, item.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", f"{STUDY}.1.{number}"
    item.Rows = item.Columns = 1
    return item


@pytest.fixture
def note(tmp_path: Path) -> Callable[..., Path]:
    """`note(title, edit)` writes a selection of two images, changed by `edit`."""

    def make(title: Any = codes.DCM.RejectedForQualityReasons, edit: Callable[[Dataset], None] = lambda _: None,
             syntax: str = ExplicitVRLittleEndian) -> Path:
        named = [reference(1), reference(2)]
        made = KeyObjectSelectionDocument(named, KeyObjectSelection(title, named), "2.25.1", 1, "2.25.2", 1, "PACS")
        edit(made)
        made.file_meta.TransferSyntaxUID = syntax
        dcmwrite(tmp_path / "note.dcm", made, enforce_file_format=True)
        return tmp_path / "note.dcm"

    return make


@pytest.mark.parametrize("title", Title)
def test_the_four_titles_reject(note: Callable[..., Path], title: Title) -> None:
    expected = RejectionNote(title, {STUDY: frozenset({f"{STUDY}.1.1", f"{STUDY}.1.2"})})
    assert read_rejection(note(TITLES[title]), ExplicitVRLittleEndian) == expected
    assert title.words == TITLES[title].meaning


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_in_every_syntax(note: Callable[..., Path], syntax: str) -> None:
    found = read_rejection(note(syntax=syntax), syntax)
    assert found is not None
    assert len(found.named[STUDY]) == 2


def test_key_images_are_no_rejection(note: Callable[..., Path]) -> None:
    assert read_rejection(note(codes.DCM.OfInterest), ExplicitVRLittleEndian) is None


def test_a_title_of_another_scheme_is_no_rejection(note: Callable[..., Path]) -> None:
    def rename(made: Dataset) -> None:
        made.ConceptNameCodeSequence[0].CodingSchemeDesignator = "99LOCAL"

    assert read_rejection(note(edit=rename), ExplicitVRLittleEndian) is None


def without_evidence(made: Dataset) -> None:
    del made.CurrentRequestedProcedureEvidenceSequence


def without_content(made: Dataset) -> None:
    made.ContentSequence = []


def with_a_path(made: Dataset) -> None:
    made.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "../../etc"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [(without_evidence, "evidence lacks"), (without_content, "names no instance"), (with_a_path, "no UID")],
)
def test_what_is_not_followed_says_why(note: Callable[..., Path], edit: Callable[[Dataset], None], reason: str) -> None:
    with pytest.raises(BadNote, match=reason):
        read_rejection(note(edit=edit), ExplicitVRLittleEndian)


def test_sizes_are_bounded(note: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = note()
    monkeypatch.setattr(key_objects, "MAX_NAMED", 1)
    with pytest.raises(BadNote, match="more than 1"):
        read_rejection(path, ExplicitVRLittleEndian)
    monkeypatch.setattr(key_objects, "MAX_NOTE_BYTES", 500)
    with pytest.raises(BadNote, match="larger than 500"):
        read_rejection(path, ExplicitVRLittleEndian)


def test_a_deflated_bomb_is_not_inflated(note: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = note(edit=lambda made: made.ContentSequence[0].add_new(0x00400A160, "UT", "A" * 3_000_000),
                syntax=DeflatedExplicitVRLittleEndian)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(key_objects, "MAX_NOTE_BYTES", 100_000)
    with pytest.raises(BadNote, match="parsed"):
        read_rejection(path, DeflatedExplicitVRLittleEndian)


@pytest.mark.parametrize("length", [0, 100, 400, 700])
def test_a_note_that_is_cut_off_is_refused_or_no_note(note: Callable[..., Path], length: int) -> None:
    path = note()
    path.write_bytes(path.read_bytes()[:length])
    found = None
    with suppress(BadNote):
        found = read_rejection(path, ExplicitVRLittleEndian)
    assert found is None


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadNote, match="no longer held"):
        read_rejection(tmp_path / "gone.dcm", ExplicitVRLittleEndian)


def test_a_failing_disk_is_no_fault_of_the_note(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        read_rejection(tmp_path, ExplicitVRLittleEndian)


def test_what_we_read_is_what_others_wrote(note: Callable[..., Path]) -> None:
    assert dcmread(note()).SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.59"


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_wherever_it_is_cut_off_it_is_the_note_that_is_at_fault_and_not_the_disk(
    note: Callable[..., Path], syntax: str
) -> None:
    path = note(syntax=syntax)
    whole = path.read_bytes()
    blamed = set()
    for end in range(META_AT + 200, len(whole), 3):
        path.write_bytes(whole[:end])
        try:
            read_rejection(path, syntax)
        except (BadNote, Unavailable) as fault:
            blamed.add(type(fault))
    assert blamed == {BadNote}
