"""Reviews in a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_node.review_words import review_in_words

NONE = {"kept": 0, "remeasured": 0, "retyped": 0, "added": 0, "removed": 0}


def line(value: float, reviewed: float, unit: str = "mm", quantity: str = "Long Axis") -> dict[str, Any]:
    return {"finding": "Nodule 1", "quantity": quantity, "unit": unit, "value": value, "reviewed_value": reviewed}


def report(*lines: dict[str, Any], assessment: str = "", **findings: int) -> str:
    summary = {"findings": NONE | findings, "remeasured": list(lines), "assessment": assessment}
    return review_in_words("sr", summary)


def test_a_report_is_told_finding_by_finding() -> None:
    told = report(line(12.1, 14.0), kept=2, remeasured=1, removed=1, assessment="modified")
    assert told == (
        "is reviewed: 2 findings kept, 1 remeasured (Long Axis 12.1 -> 14.0 mm), 1 removed; the result is modified"
    )
    assert report(kept=1) == "is reviewed: 1 finding kept"
    assert report(retyped=2, added=1) == "is reviewed: 2 findings of another type, 1 added"


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (line(12.125, 12.13), "Long Axis 12.12 -> 12.13 mm"),
        (line(0.5, 0.25, "1", "Probability"), "Probability 0.5 -> 0.2"),
        (line(3.0, 2.0, "{lesions}", "Number of lesions"), "Number of lesions 3.0 -> 2.0 {lesions}"),
        (line(1e-9, 2e-9), "Long Axis 0.000000 -> 0.000000 mm"),
    ],
)
def test_a_number_has_as_many_digits_as_tell_it_from_ours(one: dict[str, Any], told: str) -> None:
    assert report(one, remeasured=1) == f"is reviewed: 1 finding remeasured ({told})"


def test_of_many_numbers_the_first_are_told() -> None:
    told = report(*[line(1.0, float(n)) for n in range(2, 9)], remeasured=3)
    assert told.endswith("Long Axis 1.0 -> 6.0 mm, 2 more)")


def test_a_segmentation_is_told_structure_by_structure() -> None:
    summary = {
        "structures": [{"structure": "Liver tumour", "dice": 0.61538}],
        "lesions": {"added": 1, "removed": 0}, "assessment": "modified",
    }  # fmt: skip
    assert review_in_words("seg", summary) == (
        "is reviewed truth: Liver tumour Dice 0.615; lesions: 1 added; the result is modified"
    )
    assert review_in_words("seg", {"structures": [], "lesions": {}}) == (
        "is reviewed truth: nothing in either; lesions: none"
    )
