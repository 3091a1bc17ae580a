"""What a peer says about an instance is kept, what it says about the patient is not."""

import pytest

from dicom_node.errors import Refused
from dicom_node.network.discretion import discreet, in_words


@pytest.mark.parametrize(
    ("comment", "kept"),
    [
        ("", ""),
        ("duplicate instance", "duplicate instance"),
        ("Patient P-17 is not DOE^JANE", "Patient … is not …"),
        ("jane doe is unknown here", "… … is unknown here"),
        ("born 19700101, not 1970-01-02", "born …, not …"),
        ("study 1.2.3 of 2026 is closed", "study 1.2.3 of 2026 is closed"),
        ("x" * 500, "x" * 64),
    ],
)
def test_words_that_name_the_patient_are_hidden(ct_series, comment, kept):
    assert discreet(comment, ct_series[0]) == kept


def test_a_patient_without_a_name_hides_nothing(make_slices):
    (path,) = make_slices(1, PatientName="", PatientID="")
    assert discreet("no such patient", path) == "no such patient"


def test_a_piece_of_what_names_the_patient_is_hidden_too(make_slices):
    (path,) = make_slices(1, PatientID="XZ-77-QXZ-77-Q")
    assert discreet("XZ-77-Q is unknown", path) == "… is unknown"


@pytest.mark.parametrize(
    ("name", "comment", "kept"),
    [
        ("Wu^Li", "Li Wu is not in the worklist", "… … is not in the worklist"),
        ("Wu^Li", "the Wuhan line is busy", "the Wuhan line is busy"),
        ("Yamada^Tarou=山田^太郎", "山田 太郎 is unknown", "… … is unknown"),
        ("Yamada^Tarou=山田^太郎", "山田太郎は不明", "…は不明"),
        ("Kim^Chulsoo=金^喆洙=김^철수", "김철수 is unknown", "… is unknown"),
    ],
)
def test_a_name_may_have_two_letters(make_slices, name, comment, kept):
    (path,) = make_slices(1, SpecificCharacterSet="ISO_IR 192", PatientName=name)
    assert discreet(comment, path) == kept
    assert in_words(Refused(comment), {"PatientName": name}) == kept


def test_a_number_a_date_and_a_doctor_lead_to_the_patient_too(make_slices):
    who = {"AccessionNumber": "A-4711", "PatientBirthDate": "19500102", "ReferringPhysicianName": "House^G"}
    (path,) = make_slices(1, **who)
    comment = "A-4711 of Dr House, born 2.1.1950, is closed"
    assert discreet(comment, path) == in_words(Refused(comment), who) == "… of Dr …, born …, is closed"


def test_other_names_of_the_patient_are_hidden(make_slices):
    (path,) = make_slices(1, OtherPatientNames=["Smith^Ann", "Ng^A"], PatientBirthName="Brown")
    assert discreet("Ann Smith, Ng or Brown?", path) == "… …, … or …?"


def test_what_a_peer_says_of_a_study_is_told_without_the_patient_or_not_at_all():
    error = Refused("pacs answers 0xA900", quote="DOE^JANE, P-17, is locked" + " " * 64 + "and more")
    header = {"PatientName": "Doe^Jane", "PatientID": "P-17", "PatientBirthDate": None}
    assert in_words(error, header).split() == ["pacs", "answers", "0xA900", "(…,", "…,", "is", "locked", ")"]
    assert in_words(error, {}) == in_words(Refused("pacs answers 0xA900"), header) == "pacs answers 0xA900"
