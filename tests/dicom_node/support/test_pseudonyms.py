"""What is replaced in texts and views, and what stays readable."""

from __future__ import annotations

import pytest

from dicom_node.support.pseudonyms import Pseudonyms

WORDS = {"doe", "jane", "p-17", "no 5 b", "müller", "1234", "yamada", "山田", "太郎", "희중"}
HIDE = Pseudonyms(b"k" * 32, frozenset(WORDS), frozenset({"2026-01-17"}))
UID = "1.2.826.0.1.3680043.8.498.1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DOE^Jane came", "hidden^hidden came"),
        ("jane_doe.dcm", "hidden_hidden.dcm"),
        ("Doe's P-17, not P-171", "hidden's hidden, not P-171"),
        ("MÜLLER", "hidden"),
        ("of No 5 B.", "of hidden."),
        ("1234 of 12345", "hidden of 12345"),
        ("on 2026-01-17, at 2026-01-17T10:00", "on hidden, at 2026-01-17T10:00"),
        ("Doeringer", "Doeringer"),
        ("YAMADA様の胸部CT", "hidden様の胸部CT"),
        ("山田太郎様 胸部CT_김희중님", "hidden 胸部CT_hidden"),
        *[(same, same) for same in ("torch 2.13.0", "at 10.0.0.17", "a 1.2.840.10008.5.1.4.1.1.2")],
    ],
)
def test_words_are_hidden_and_versions_addresses_and_the_standards_uids_stay(text: str, said: str) -> None:
    assert HIDE.text(text) == said


@pytest.mark.parametrize("uid", [UID, "2.25.161816259493980967387123369639623651215", "1.3.6.1.4"])
def test_uids_and_hashes_become_pseudonyms(uid: str) -> None:
    mine = HIDE.of_identifier(uid)
    assert HIDE.text(f"in {uid}.") == f"in {mine}."
    assert HIDE.view({"statuses": {uid: ["Doe"]}, "study": uid}) == {"statuses": {mine: ["hidden"]}, "study": mine}
    assert Pseudonyms(b"o" * 32, frozenset()).of_identifier(uid) != mine


def test_a_job_follows_from_its_images_and_is_replaced_as_well() -> None:
    job = "ab" * 32
    assert HIDE.text(f"job {job}") == f"job {HIDE.of_identifier(job)}"
    assert HIDE.view({"job": job})["job"] == HIDE.of_identifier(job)


def test_words_of_ours_are_not_hidden_where_nobody_else_writes() -> None:
    assert HIDE.view({"state": "DOE", "reason": "DOE", "number": 1234}) == {
        "state": "DOE", "reason": "hidden", "number": 1234,
    }  # fmt: skip
    assert HIDE.of_identifier("") == ""
