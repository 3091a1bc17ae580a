"""How a field of a form is filled in, and what was filled in read back as YAML reads it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from dicom_node.settings_files import document_of


class Sort(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    TICKS = "ticks"
    YAML = "yaml"


def read_back(sort: Sort, options: Sequence[str], word: str) -> Any:
    """The value that a person wrote: a text as it stands, else as YAML reads it. ConfigurationError: it cannot."""
    if sort is Sort.TEXT or (sort is Sort.CHOICE and "true" not in options):
        return word
    return document_of(f"value: {word}", "").data["value"]
