"""Letters without their accents, also those that Unicode takes for whole ones."""

from __future__ import annotations

import pytest

from dicom_node.letters import without_accents


@pytest.mark.parametrize(("said", "expected"), [
    ("Schädel", "Schadel"), ("GŁOWA", "GLOWA"), ("HØJRE", "HOJRE"), ("Gießen", "Giessen"), ("STRAẞE", "STRASSE"),
    ("肝臓", "肝臓"), ("T2* +KM", "T2* +KM"), ("", ""),
])  # fmt: skip
def test_what_stands_above_below_or_across_a_letter_goes(said: str, expected: str) -> None:
    assert without_accents(said) == expected
