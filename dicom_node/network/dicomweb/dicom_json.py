"""Values out of DICOM JSON (PS3.18 F.2) that strangers sent: what is not there, or of another form, is no value."""

from __future__ import annotations

import json
from typing import Any

MEDIA_TYPE = "application/dicom+json"


def parsed(body: bytes) -> Any:
    """What `body` says; None where it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def values(data: Any, tag: str) -> list[Any]:
    """The values of the element `tag` (eight hexadecimal digits) of a data set."""
    element = data.get(tag) if isinstance(data, dict) else None
    found = element.get("Value") if isinstance(element, dict) else None
    return found if isinstance(found, list) else []


def value(data: Any, tag: str) -> Any:
    """The first of them, or None."""
    return next(iter(values(data, tag)), None)
