"""The pages to sign: what they say, also where something failed."""

from __future__ import annotations

import re

import pytest
from commissioned import sign_off
from printed import pages, words

from dicom_node.commissioning.record import Check
from dicom_node.commissioning.sheet import sign_off_pdf

GOOD = Check("comes back", passed=True, words="1 SEG by C-GET")
BAD = Check("lies where it was drawn", passed=False, words="3.2 mm beside the images")


def test_it_says_what_was_commissioned_and_how_it_stands() -> None:
    text = words(sign_off_pdf(sign_off(GOOD)))
    assert "Commissioning of SEGNODE" in text
    assert "PASSED: every check" in text
    for said in (
        "Segnode 0.1.0", "revision 3, SHA-256", "pacs", "Phantom^Trunk7 (PHANTOM-A7)", "synthetic",  # whom and what
        "Liver", "0.913", "0.976", "0.726", "12.25", "13.50",  # against the truth
        "inferred", "12.5", "model: network", "8.2",  # times
        "1 SEG by C-GET", "bright", "explicit", "ae_title: SEGNODE",
        "For radiology: name", "signature",
    ):  # fmt: skip
        assert said in text, said


def test_what_failed_stands_at_the_top() -> None:
    found = sign_off(GOOD, BAD)
    text = words(sign_off_pdf(found))
    assert not found.passed
    assert "FAILED: 1 of 3 checks" in text
    assert "3.2 mm beside the images" in text


def test_the_pictures_are_in_it() -> None:
    pdf = sign_off_pdf(sign_off(GOOD))
    assert pdf.count(b"/Subtype /Image") == 1, "the same picture is kept once"
    assert b"DCTDecode" in pdf, "as JPEG: the page goes by mail"


def test_long_configuration_goes_on_over_pages_and_foreign_letters_are_told() -> None:
    found = sign_off(GOOD)
    short = pages(sign_off_pdf(found))
    lines = "\n".join(f"key_{number}: 値" for number in range(200))
    found.configuration = {"routes.yaml": lines}
    pdf = sign_off_pdf(found)
    assert pages(pdf) > short
    assert "key_199" in words(pdf)
    assert re.search(rf"page 1 of +{pages(pdf)}", words(pdf))


@pytest.mark.parametrize("studies", [True, False])
def test_without_a_study_nothing_has_passed(*, studies: bool) -> None:
    found = sign_off(GOOD)
    if not studies:
        found.studies.clear()
    assert found.passed is studies
