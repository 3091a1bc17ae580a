"""Who may not know whose study it is, reads it nowhere."""

from __future__ import annotations

import pytest

from dicom_node.masking import HIDDEN, masked, patient_view, readable

HEADER = {
    "PatientName": "Müller-Roe^Jane Ann", "PatientID": "P-17", "PatientBirthDate": "19700102", "PatientSex": "F",
    "AccessionNumber": "A1234", "ReferringPhysicianName": "House^Greg",
}  # fmt: skip


def test_who_may_is_shown_all_of_it() -> None:
    assert patient_view(HEADER, shown=True) == {
        "name": "Müller-Roe, Jane Ann", "id": "P-17", "birth_date": "19700102", "accession": "A1234",
        "referrer": "House^Greg", "sex": "F", "shown": True,
    }  # fmt: skip


def test_who_may_not_sees_that_there_is_something_and_no_more() -> None:
    view = patient_view({**HEADER, "AccessionNumber": ""}, shown=False)
    assert {view[key] for key in ("name", "id", "birth_date", "referrer")} == {HIDDEN}
    assert (view["accession"], view["sex"], view["shown"]) == ("", "F", False)


@pytest.mark.parametrize("text", [
    "CT of Müller-Roe, abdomen", "jane: follow-up", "MÜLLER-ROE^JANE", "see P-17.", "(p-17)", "born 1970-01-02",
    "born 02.01.1970", "born 02/01/1970", "01/02/1970", "1970/01/02", "born 2.1.1970", "1/2/1970",
    "Fr. Müller", "CT ROE abdomen", "A1234/7", "for dr House", "19700102", "CT_JANE_P-17", "Dr.House", "jane.1",
    "19700102_A1234_ct",
])
def test_no_text_tells_it(text: str) -> None:
    told = masked({"a": [text, {"b": text}], "reason": (text,)}, HEADER)
    flat = str(told).casefold()
    assert HIDDEN in flat
    words = ("müller", "jane", "p-17", "1970-01-02", "02.01.1970", "a1234", "house", "19700102", "roe", "1970")
    assert not any(word in flat for word in words)


@pytest.mark.parametrize(("name", "text"), [
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田太郎様 胸部CT"), ("Yamada^Tarou=山田^太郎", "YAMADA様"),
    ("김^희중", "김희중님 흉부"), ("李^明", "李明_CT"), ("สมชาย^ใจดี", "นายสมชายใจดี"),
])
def test_nor_where_words_are_written_without_spaces(name: str, text: str) -> None:
    told = masked(text, {"PatientName": name})
    assert HIDDEN in told
    assert not any(part in told.casefold() for part in ("yamada", "山田", "太郎", "희중", "李明", "สมชาย", "ใจดี"))


@pytest.mark.parametrize("text", ["Janet's protocol", "P-170", "warehouse", "1.2.1234.5"])
def test_other_words_stay(text: str) -> None:
    assert masked(text, {**HEADER, "AccessionNumber": "1234"}) == text


def test_identifiers_and_words_of_ours_stay_whatever_somebody_is_called() -> None:
    view = {"study": "1.2.17", "state": "DONE", "route": "roe", "reason": "DONE", "images": 3, "progress": None}
    header = {"PatientName": "Done^Roe", "PatientID": "1.2.17"}
    assert masked(view, header) == {**view, "reason": HIDDEN}


def test_a_study_that_names_nobody_is_left_as_it_is() -> None:
    assert masked({"a": "text"}, {}) == {"a": "text"}
    assert masked("A b 12", {"PatientName": "A^B", "PatientID": "12"}) == "A b 12", "too short to be looked for"


@pytest.mark.parametrize(("name", "read"), [
    ("Doe^Jane^^Dr", "Doe, Jane"), ("Doe", "Doe"), ("", ""), ("Yamada^Tarou=山田^太郎", "Yamada, Tarou"),
])
def test_a_name_is_written_as_people_do(name: str, read: str) -> None:
    assert readable(name) == read
