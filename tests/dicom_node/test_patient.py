"""Two studies are of one patient where the ID is the same and nothing contradicts it."""

import pytest

from dicom_node.patient import Patient

WHO = Patient("P-17", "HOSPITAL", "19700102", "F")


@pytest.mark.parametrize(
    "other",
    [
        WHO,
        Patient("P-17"),
        Patient("P-17", "", "1970.01.02", "f"),
        Patient("P-17", "HOSPITAL", "19700102", "unknown"),
    ],
    ids=["all the same", "nothing else is said", "in the old way of writing", "no sex of the standard"],
)
def test_one_patient(other):
    assert WHO.is_one_with(other)
    assert other.is_one_with(WHO)


@pytest.mark.parametrize(
    "other",
    [
        Patient("P-170", "HOSPITAL", "19700102", "F"),
        Patient("p-17", "HOSPITAL", "19700102", "F"),
        Patient("P-17", "OTHER", "19700102", "F"),
        Patient("P-17", "HOSPITAL", "19700201", "F"),
        Patient("P-17", "HOSPITAL", "19700102", "M"),
        Patient("", "HOSPITAL", "19700102", "F"),
    ],
    ids=["ID", "case of the ID", "issuer", "birth date", "sex", "no ID"],
)
def test_two_patients(other):
    assert not WHO.is_one_with(other)
    assert not other.is_one_with(WHO)


def test_two_without_an_id_are_strangers_to_each_other():
    assert not Patient().is_one_with(Patient())


def test_it_is_read_from_a_header_and_never_shown():
    header = {"PatientID": " P-17 ", "PatientBirthDate": "19700102", "PatientSex": "F", "IssuerOfPatientID": "HOSPITAL"}
    assert Patient.of(header) == WHO
    assert repr(WHO) == "Patient()"
