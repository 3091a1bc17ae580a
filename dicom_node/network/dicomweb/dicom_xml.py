"""The Native DICOM Model (PS3.19 A.1) of strangers, which some servers answer with whatever they are asked for."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, ParseError  # types only: defusedxml parses

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring


def as_json(body: bytes) -> Any:
    """What `body` says, in the form of DICOM JSON and with every value as text; None where it is no such document."""
    try:
        root = fromstring(body)
        return _data_set(root) if _name(root) == "NativeDicomModel" else None
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):  # some for its encoding
        return None


def _data_set(holder: Element) -> dict[str, Any]:
    elements = (one for one in holder if _name(one) == "DicomAttribute")
    return {one.get("tag", "").upper(): {"Value": _values(one)} for one in elements}


def _values(element: Element) -> list[Any]:
    items = [_data_set(one) for one in element if _name(one) == "Item"]
    return items + [(one.text or "").strip() for one in element if _name(one) == "Value"]


def _name(element: Element) -> str:
    """Without the namespace, which not every server writes."""
    return str(element.tag).rpartition("}")[2]
