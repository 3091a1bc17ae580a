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


def test_what_a_peer_says_of_a_study_is_told_without_the_patient_or_not_at_all():
    error = Refused("pacs answers 0xA900", quote="DOE^JANE, P-17, is locked" + " " * 64 + "and more")
    header = {"PatientName": "Doe^Jane", "PatientID": "P-17", "PatientBirthDate": None}
    assert in_words(error, header).split() == ["pacs", "answers", "0xA900", "(…,", "…,", "is", "locked", ")"]
    assert in_words(error, {}) == in_words(Refused("pacs answers 0xA900"), header) == "pacs answers 0xA900"
