"""Tolerant looks into an index header: real archives hold text where numbers are due, and nothing where a value is.

Several values are a list, or one text with backslashes between them, as in the file.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from dicom_node.letters import without_accents

Header = Mapping[str, Any]

# Twice the longest LO value (PS3.5 6.2), and more values than an image type ever has; the rest is noise or an attack.
LONGEST_TEXT = 128
MOST_VALUES = 32


def number(header: Header, keyword: str) -> float | None:
    """The first value as a finite number, or None; takes "3.0", ["3.0"], 3 alike."""
    found = numbers(header, keyword)
    return found[0] if found else None


def numbers(header: Header, keyword: str) -> tuple[float, ...]:
    """All values as finite numbers; empty where one of them is none."""
    found = [_finite(value) for value in _values(header, keyword)]
    return tuple(value for value in found if value is not None) if None not in found else ()


def words(header: Header, keyword: str) -> tuple[str, ...]:
    """All values as upper-case text, e.g. ("ORIGINAL", "PRIMARY", "AXIAL")."""
    return tuple(line(str(value)).upper() for value in _values(header, keyword))


def first(header: Header, keyword: str) -> str:
    """The first value as text, "" where there is none."""
    return next((line(str(value)) for value in _values(header, keyword)), "")


def text(header: Header, keyword: str) -> str:
    """All values as one line."""
    return line(" ".join(str(value) for value in _values(header, keyword)))


def line(value: str) -> str:
    """One printable line of a sane length: what strangers write is shown on terminals and pages."""
    printable = "".join(c if c.isprintable() else " " for c in value[: 4 * LONGEST_TEXT])
    return " ".join(printable.split())[:LONGEST_TEXT]


def plain(said: str) -> str:
    """Lower-case letters and digits without accents, one space between words: "Thorax_nativ-2.0" → "thorax nativ 2.0".

    A change from lower to upper case starts a word too ("ThoraxRoutine"); `+` stays (contrast), and `*` (T2*).
    """
    split = re.sub(r"(?<=[a-zß-ÿ])(?=[A-Z])", " ", said)
    folded = without_accents(unicodedata.normalize("NFKC", split)).lower()
    return " ".join(re.sub(r"[^\w.+*]|_", " ", folded).split())


def _values(header: Header, keyword: str) -> list[Any]:
    value = header.get(keyword)
    values = value if isinstance(value, list | tuple) else value.split("\\") if isinstance(value, str) else [value]
    return [item for item in values[:MOST_VALUES] if item is not None and item != ""]


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except ValueError:
        return None
    return result if math.isfinite(result) else None
