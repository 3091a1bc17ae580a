"""What our objects copy from the images: patient, study, institution (PS3.3 C.7.1, C.7.2, C.7.5.1)."""

from __future__ import annotations

from pydicom.datadict import keyword_for_tag

# Patient, patient study, clinical trial and visit: all of it.
GROUPS = frozenset({0x0010, 0x0012, 0x0032, 0x0038})
KEYWORDS = frozenset({
    "AccessionNumber", "AdmittingDiagnosesCodeSequence", "AdmittingDiagnosesDescription", "ConsultingPhysicianName",
    "ConsultingPhysicianIdentificationSequence", "InstitutionAddress", "InstitutionName",
    "InstitutionalDepartmentName", "IssuerOfAccessionNumberSequence", "NameOfPhysiciansReadingStudy",
    "PhysiciansOfRecord", "PhysiciansOfRecordIdentificationSequence", "PhysiciansReadingStudyIdentificationSequence",
    "ProcedureCodeSequence", "ReasonForPerformedProcedureCodeSequence", "ReferencedPatientSequence",
    "ReferencedStudySequence", "ReferringPhysicianIdentificationSequence", "ReferringPhysicianName",
    "SpecificCharacterSet", "StationName", "StudyDate", "StudyDescription", "StudyID", "StudyTime",
})  # fmt: skip


def is_copied(tag: int) -> bool:
    """Whether results of ours bear this attribute as the images do."""
    return tag >> 16 in GROUPS or keyword_for_tag(tag) in KEYWORDS
