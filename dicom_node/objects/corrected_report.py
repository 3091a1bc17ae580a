"""Reading a measurement report of any maker (PS3.16 TID 1500): what its groups measure, what it replaces and cites.

It comes from a stranger: its size is bounded before memory is taken, the steps of parsing are counted, and nothing but
`BadReport` is raised, or `Unavailable` where the disk fails. Only the places that TID 1500 names are looked at, however
deep the tree is and wherever its references lead. Nobody's name is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.sr.coding import snomed_mapping
from pydicom.uid import ExplicitVRBigEndian

from dicom_node.errors import NodeError
from dicom_node.network.headers.elements import PARSE_FAULTS, CountedBytes, counted, items_of, value_of
from dicom_node.objects.corrected import NATIVE, Coded
from dicom_node.objects.stored import content_of

MAX_BYTES = 16 * 1024 * 1024
MAX_GROUPS = 1000
MAX_NUMBERS = 2000  # of one group; radiomics take a thousand

TITLE = Coded("126000", "DCM")  # Imaging Measurement Report (CID 7021)
MEASUREMENTS = Coded("126010", "DCM")
GROUP = Coded("125007", "DCM")
TRACKING_UID = Coded("112040", "DCM")
FINDING = Coded("121071", "DCM")
SEGMENTS = (Coded("121191", "DCM"), Coded("121214", "DCM"))  # of TID 1411, and a frame of one: TID 1410
DERIVATION = Coded("121401", "DCM")
METHOD = Coded("370129005", "SCT")
OBSERVER_TYPE = Coded("121005", "DCM")  # TID 1002
PERSON = Coded("121006", "DCM")


Segment = tuple[str, int]  # a SEG's SOP Instance UID and the number of one of its segments


class BadReport(NodeError):
    """A report that cannot be used; the text says why and names no value that may be a patient's."""


@dataclass(frozen=True)
class Number:
    """A measurement (TID 300); `name` says in words what is measured."""

    quantity: Coded
    value: float
    unit: Coded
    derivation: Coded | None = None
    method: Coded | None = None
    name: str = field(default="", repr=False, compare=False)  # free text: of strangers' reports it is never shown


@dataclass(frozen=True)
class Group:
    """What one measurement group says."""

    tracking_uid: str
    type: Coded | None
    numbers: tuple[Number, ...]
    segment: Segment | None = None


@dataclass(frozen=True)
class Report:
    """A report's groups; `cites` and `predecessors` hold SOP Instance UIDs.

    `person`: a person stands behind it, as it says itself.
    """

    groups: tuple[Group, ...]
    predecessors: frozenset[str]
    cites: frozenset[str]
    person: bool


Content = list[tuple[Coded | None, Dataset]]


def read_report(path: Path) -> Report | None:
    """The report in a stored file; None where it is no Imaging Measurement Report. BadReport, Unavailable."""
    data, syntax = content_of(path, MAX_BYTES, (*NATIVE, ExplicitVRBigEndian), BadReport)
    content = CountedBytes(data)
    try:
        with counted(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom quotes the values that it complains about
            ds = read_dataset(content, syntax.is_implicit_VR, syntax.is_little_endian)
            return _report(ds) if _code(ds, "ConceptNameCodeSequence") == TITLE else None
    except PARSE_FAULTS as fault:
        raise BadReport(f"it cannot be parsed ({type(fault).__name__})") from None


def _report(ds: Dataset) -> Report:
    content = _content(ds)
    groups = tuple(islice(_groups(content), MAX_GROUPS + 1))
    if len(groups) > MAX_GROUPS:
        raise BadReport(f"it has more than {MAX_GROUPS} measurement groups")
    evidence = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
    cited = {uid for keyword in evidence for uid in _instances(ds, keyword)}
    return Report(
        groups=groups,
        predecessors=frozenset(_instances(ds, "PredecessorDocumentsSequence")),
        cites=frozenset(cited | {group.segment[0] for group in groups if group.segment}),
        person=_person(ds, content),
    )


def _groups(content: Content) -> Iterator[Group]:
    for concept, part in content:
        if concept == MEASUREMENTS:
            yield from (_group(_content(item)) for concept, item in _content(part) if concept == GROUP)


def _group(content: Content) -> Group:
    numbers = tuple(islice(_numbers(content), MAX_NUMBERS + 1))
    if len(numbers) > MAX_NUMBERS:
        raise BadReport(f"a measurement group has more than {MAX_NUMBERS} measurements")
    tracking = (value_of(item, "UID") for concept, item in content if concept == TRACKING_UID)
    types = (_code(item, "ConceptCodeSequence") for concept, item in content if concept == FINDING)
    return Group(str(next(tracking, None) or ""), next(types, None), numbers, next(_segments(content), None))


def _numbers(content: Content) -> Iterator[Number]:
    for concept, item in content:
        if concept is None or value_of(item, "ValueType") != "NUM":
            continue
        modified = [(name, of) for name, of in _content(item) if name in (DERIVATION, METHOD)]
        modifiers = {name: _code(of, "ConceptCodeSequence") for name, of in modified}
        derivations = [_meaning(of, "ConceptCodeSequence") for name, of in modified if name == DERIVATION]
        for measured in items_of(item, "MeasuredValueSequence"):
            value, unit = _value(measured), _code(measured, "MeasurementUnitsCodeSequence")
            if value is not None and unit is not None:
                name = " ".join([_meaning(item, "ConceptNameCodeSequence"), *(f"({text})" for text in derivations)])
                yield Number(concept, value, unit, modifiers.get(DERIVATION), modifiers.get(METHOD), name)


def _value(measured: Dataset) -> float | None:
    """The number (0040,A30A); None where there is none, as of what could not be measured."""
    try:
        value = value_of(measured, "NumericValue")
    except ValueError:  # some write "NaN"
        return None
    return value if isinstance(value, float) else None


def _segments(content: Content) -> Iterator[Segment]:
    for concept, item in content:
        if concept in SEGMENTS:
            for reference in items_of(item, "ReferencedSOPSequence"):
                number = value_of(reference, "ReferencedSegmentNumber")
                if isinstance(number, int):
                    yield str(value_of(reference, "ReferencedSOPInstanceUID")), number


def _person(ds: Dataset, content: Content) -> bool:
    """Whether it was verified or made by a person (PS3.3 C.17.2, PS3.16 TID 1002)."""
    return (
        value_of(ds, "VerificationFlag") == "VERIFIED"
        or any(value_of(author, "ObserverType") == "PSN" for author in items_of(ds, "AuthorObserverSequence"))
        or any(_code(item, "ConceptCodeSequence") == PERSON for concept, item in content if concept == OBSERVER_TYPE)
    )


def _instances(ds: Dataset, keyword: str) -> Iterator[str]:
    """What a sequence of references names (PS3.3 table 10-11: by study and series)."""
    for study in items_of(ds, keyword):
        for series in items_of(study, "ReferencedSeriesSequence"):
            for item in items_of(series, "ReferencedSOPSequence"):
                yield str(value_of(item, "ReferencedSOPInstanceUID"))


def _content(item: Dataset) -> Content:
    """The children of a content item, each with the concept that it is named by."""
    return [(_code(child, "ConceptNameCodeSequence"), child) for child in items_of(item, "ContentSequence")]


def _code(item: Dataset, keyword: str) -> Coded | None:
    """The first code of a sequence (PS3.3 8.8); of SNOMED's old scheme the number that took its place (PS3.16 8.1)."""
    for code in items_of(item, keyword):
        value = str(value_of(code, "CodeValue") or value_of(code, "LongCodeValue") or "?")
        scheme = str(value_of(code, "CodingSchemeDesignator") or "?")
        if scheme == "SRT" and value in snomed_mapping["SRT"]:
            return Coded(snomed_mapping["SRT"][value], "SCT")
        return Coded(value, scheme)
    return None


def _meaning(item: Dataset, keyword: str) -> str:
    for code in items_of(item, keyword):
        return str(value_of(code, "CodeMeaning") or "")
    return ""
