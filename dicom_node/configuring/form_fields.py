"""How a field of a form is filled in, and what was filled in read back as YAML reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from dicom_node.errors import ConfigurationError
from dicom_node.settings.files import document_of


class Sort(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    TICKS = "ticks"
    YAML = "yaml"


def filled(sent: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """What a form holds in a field, without what is blank."""
    return [word.strip() for word in sent.get(name, ()) if word.strip()]


def read_back(name: str, sort: Sort, options: Sequence[str], words: Sequence[str]) -> Any:
    """The value that a person means by `words`, one or, of ticks, several: a text as it stands, else as YAML reads it.

    ConfigurationError, which names the field, where it is no YAML.
    """
    if sort is Sort.TICKS:
        return list(words)
    word = words[0]
    if sort is Sort.TEXT or (sort is Sort.CHOICE and "true" not in options):
        return word
    try:
        return document_of(f"value: {word}", "").data["value"]
    except ConfigurationError:
        raise ConfigurationError([f"{name}: no valid YAML; braces, brackets and quotes must be closed"]) from None
