"""The facts of the audit trail."""

from __future__ import annotations

from pydicom.sr.codedict import codes

from dicom_node.audit import facts
from dicom_node.audit.facts import Code, Images, Outcome


def test_outcomes_are_the_standards() -> None:
    """PS3.15 Table A.5.2-1."""
    assert [int(outcome) for outcome in Outcome] == [0, 4, 8, 12]


def test_every_dicom_code_is_of_the_standards_context_groups() -> None:
    groups = [codes.cid400, codes.cid401, codes.cid402, codes.cid404, codes.cid405]
    known = {(item.value, item.meaning) for group in groups for name in group.dir() for item in [getattr(group, name)]}
    ours = [item for item in vars(facts).values() if isinstance(item, Code) and item.scheme == "DCM"]
    assert len(ours) == 31
    assert {(item.value, item.meaning) for item in ours} <= known


def test_images_take_their_patient_from_the_studys_header() -> None:
    header = {"PatientID": "P-17", "PatientName": "Doe^Jane", "AccessionNumber": None, "StudyID": 1}
    assert Images.of("1.2.3", header, {"1.2": 4}) == Images("1.2.3", "P-17", "Doe^Jane", "", {"1.2": 4})


def test_nobodys_name_is_in_their_text() -> None:
    shown = repr(Images.of("1.2.3", {"PatientID": "P-17", "PatientName": "Doe^Jane", "AccessionNumber": "A1"}))
    assert not any(secret in shown for secret in ("P-17", "Doe", "A1"))
