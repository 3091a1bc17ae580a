"""A data set's header, read from its bytes: identifiers, and what routing and the readers ask for.

The bytes come from strangers. Reading stops before the pixels, is bounded in bytes, and never raises
anything but `BadDataset`. Deflated data is inflated only as far as the bound, and the steps of parsing are counted.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from dicom_node.errors import BadDataset
from dicom_node.network.headers.elements import PARSE_FAULTS, CountedBytes, Scanned, counted, items_of, tag_of, value_of
from dicom_node.network.headers.multiframe import multiframe_facts
from dicom_node.network.headers.scan import PIXELS, scan
from storage.errors import BadIdentifier
from storage.identifiers import check_uid

MAX_HEADER_BYTES = 64 * 1024 * 1024

IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
LISTS = frozenset({"ImageType", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"})
FACTS = (
    *IDENTIFIERS,
    "Modality", "ImageType", "InstanceNumber", "AcquisitionNumber", "AcquisitionTime", "ContentTime",
    "TemporalPositionIdentifier", "TriggerTime", "EchoNumbers", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "Rows", "Columns", "NumberOfFrames",
    "FrameOfReferenceUID", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "RescaleSlope",
    "RescaleIntercept", "ConvolutionKernel", "GantryDetectorTilt", "ScanningSequence", "SequenceVariant",
    "AngioFlag", "MRAcquisitionType", "EchoTime", "RepetitionTime", "InversionTime", "FlipAngle", "ContrastBolusAgent",
    "ContrastBolusVolume", "DiffusionBValue", "SeriesDescription", "ProtocolName", "StudyDescription",
    "BodyPartExamined", "SeriesNumber", "SeriesDate", "SeriesTime", "Manufacturer", "PatientPosition",
    "ImagedNucleus", "ComplexImageComponent", "AcquisitionContrast", "AcquisitionDateTime",
    "VolumeBasedCalculationTechnique",
)  # fmt: skip
STUDY_FACTS = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
    "IssuerOfPatientID", "StudyID", "ReferringPhysicianName", "StudyDescription",
)  # fmt: skip
MULTIFRAME = (
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "EchoPulseSequence",
    "EchoPlanarPulseSequence", "TimeOfFlightContrast", "PhaseContrast", "ContrastBolusAgentSequence",
    "SteadyStatePulseSequence",
)  # fmt: skip
EQUIPMENT = "ContributingEquipmentSequence"

_WANTED = sorted({tag_of(keyword) for keyword in (*FACTS, *STUDY_FACTS, *MULTIFRAME, EQUIPMENT)})
_SCANNED = {int(tag): tag for tag in (*_WANTED, tag_of("SpecificCharacterSet"))}
_WITH_ITEMS = frozenset(tag_of(keyword) for keyword in (*MULTIFRAME, EQUIPMENT))


@dataclass(frozen=True)
class Header:
    """What a data set says of itself. `facts` and `study` are JSON-plain; `study` names the patient: log it never."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    facts: dict[str, Any] = field(repr=False)
    study: dict[str, Any] = field(repr=False)
    equipment_uids: frozenset[str] = frozenset()  # Device UIDs that contributed (0018,A001) > (0018,1002)


def read_header(data: bytes | memoryview, transfer_syntax: str) -> Header:
    """Read the header of a data set without preamble and file meta information, encoded as `transfer_syntax`.

    Numbers and texts become plain values; several values stay a list for the keywords in `LISTS`, texts are
    joined by a backslash otherwise, and of numbers the first is taken. An optional element that cannot be
    read is left out and named under "Unreadable". BadDataset where one of the four identifiers is missing
    or malformed, or the bytes cannot be parsed at all.
    """
    with counted():
        return _header(data, _syntax(transfer_syntax))


@lru_cache(100)
def _syntax(transfer_syntax: str) -> UID:
    return UID(transfer_syntax)


def _header(data: bytes | memoryview, syntax: UID) -> Header:
    try:
        dataset = _parse(data, syntax)
        identifiers = {keyword: _identifier(dataset, keyword) for keyword in IDENTIFIERS}
        facts, unreadable = _facts(dataset, FACTS)
        study, unreadable_study = _facts(dataset, STUDY_FACTS)
        equipment = [value_of(item, "DeviceUID") for item in items_of(dataset, EQUIPMENT)]
    except PARSE_FAULTS as error:
        raise BadDataset(f"the data set cannot be parsed ({type(error).__name__})") from None
    try:
        facts.update(multiframe_facts(dataset))
    except PARSE_FAULTS:
        unreadable.append("PerFrameFunctionalGroupsSequence")
    if unreadable or unreadable_study:
        facts["Unreadable"] = [*unreadable, *unreadable_study]
    return Header(
        sop_class_uid=identifiers["SOPClassUID"],
        sop_instance_uid=identifiers["SOPInstanceUID"],
        series_instance_uid=identifiers["SeriesInstanceUID"],
        study_instance_uid=identifiers["StudyInstanceUID"],
        facts={**facts, **identifiers},
        study=study,
        equipment_uids=frozenset(uid for uid in equipment if isinstance(uid, str)),
    )


def _parse(data: bytes | memoryview, syntax: UID) -> Dataset | Scanned:
    if syntax.is_little_endian and not syntax.is_deflated:
        found = scan(memoryview(data), _SCANNED, implicit=syntax.is_implicit_VR)
        if found is not None:
            return Scanned(found) if _WITH_ITEMS.isdisjoint(found) else Dataset(found)
    if syntax == DeflatedExplicitVRLittleEndian:
        deflated = data[:MAX_HEADER_BYTES]  # zlib would copy all that it need not look at
        head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(deflated, MAX_HEADER_BYTES)
    else:
        head = bytes(data[:MAX_HEADER_BYTES])
    return read_dataset(
        CountedBytes(head),
        is_implicit_VR=syntax.is_implicit_VR,
        is_little_endian=syntax.is_little_endian,
        stop_when=_is_past_the_header,
        specific_tags=[BaseTag(tag) for tag in _WANTED],
    )


def _is_past_the_header(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    """Not only past what is wanted: others parse all of it, and are spared what takes too many steps here."""
    return tag >= PIXELS


def _identifier(dataset: Dataset | Scanned, keyword: str) -> str:
    value = value_of(dataset, keyword)
    if value is None:
        raise BadDataset(f"the data set has no {keyword}")
    try:
        return check_uid(str(value))
    except BadIdentifier:
        raise BadDataset(f"the data set's {keyword} is no UID (PS3.5 9.1)") from None


def _facts(dataset: Dataset | Scanned, keywords: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
    facts: dict[str, Any] = {}
    unreadable: list[str] = []
    present = dataset.keys()
    for keyword in keywords:
        if tag_of(keyword) not in present:
            continue
        try:
            value = _shaped(keyword, value_of(dataset, keyword))
        except PARSE_FAULTS:
            unreadable.append(keyword)
            continue
        if value is not None:
            facts[keyword] = value
    return facts, unreadable


def _shaped(keyword: str, value: Any) -> Any:
    if keyword in LISTS:
        return value if isinstance(value, list) or value is None else [value]
    if not isinstance(value, list):
        return value
    if any(isinstance(part, str) for part in value):
        return "\\".join(part or "" for part in value)
    return value[0]
