"""What reviews say of a result, in words: for the journal and for who looks at a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.working.reviews import ReviewKind

MOST_TOLD = 5
WORDS = {"retyped": "of another type"}  # the others are their own words
NO_UNITS = "1"  # UCUM


def review_in_words(kind: str, summary: Mapping[str, Any]) -> str:
    """What a corrected object is found to be, as the rest of a sentence that begins with it."""
    words = f"reviewed: {_report(summary)}" if kind == ReviewKind.SR else f"reviewed truth: {_truth(summary)}"
    assessed = f"; the result is {summary['assessment']}" if summary.get("assessment") else ""
    return f"is {words}{assessed}"


def _truth(summary: Mapping[str, Any]) -> str:
    agreement = ", ".join(f"{one['structure']} Dice {one['dice']:.3f}" for one in summary["structures"])
    lesions = ", ".join(f"{number} {change}" for change, number in summary["lesions"].items() if number)
    return f"{agreement or 'nothing in either'}; lesions: {lesions or 'none'}"


def _report(summary: Mapping[str, Any]) -> str:
    told = [_remeasured(one) for one in summary["remeasured"]]
    more = [f"{len(told) - MOST_TOLD} more"] if len(told) > MOST_TOLD else []
    parts: list[str] = []
    for change, number in summary["findings"].items():
        if number:
            named = ("finding " if number == 1 else "findings ") if not parts else ""
            numbers = f" ({', '.join([*told[:MOST_TOLD], *more])})" if change == "remeasured" else ""
            parts.append(f"{number} {named}{WORDS.get(change, change)}{numbers}")
    return ", ".join(parts)


def _remeasured(one: Mapping[str, Any]) -> str:
    """A number before and after, with as many digits as tell the two apart."""
    unit = "" if one["unit"] == NO_UNITS else f" {one['unit']}"
    for digits in range(1, 7):
        ours, readers = (f"{one[key]:.{digits}f}" for key in ("value", "reviewed_value"))
        if ours != readers:
            break
    return f"{one['quantity']} {ours} -> {readers}{unit}"
