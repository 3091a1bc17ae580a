"""Whether a segmentation is a result of this software, of whatever version and model, and of which task.

The models that are installed tell only today's Device UIDs. But a Device UID of ours follows from what else the
segmentation says of its maker (`device_uid`): manufacturer, name and version of the contributing equipment, and the
SHA-256 of the weights among the parameters of its algorithm. So each segmentation carries its own proof, which nobody
else's software gives by accident. It is no signature: who wants to forge one can. That is why only an archive of the
site's own choice is asked. A reader's correction of a result may keep that equipment; `Segmentation.automatic` tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from dicom_node.network.headers.elements import PARSE_FAULTS, CountedBytes, counted, items_of, tag_of, value_of
from dicom_node.network.headers.header import MAX_HEADER_BYTES
from dicom_node.objects.identity import device_uid
from dicom_node.objects.stored import data_set_in
from dicom_node.objects.wording import content_label
from inference.findings import IntendedUse, ModelIdentity
from inference.tasks import TASKS
from storage.errors import Unavailable

LABELS = {content_label(task): task for task in TASKS}
PATIENT = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
EQUIPMENT, SEGMENTS = "ContributingEquipmentSequence", "SegmentSequence"
ALGORITHM = "SegmentationAlgorithmIdentificationSequence"
DIGEST = re.compile(r"SHA-256 of weights and configuration: ([0-9a-f]+)")

FORM = "SegmentationFractionalType"

_WANTED = sorted(
    tag_of(keyword) for keyword in (*PATIENT, EQUIPMENT, SEGMENTS, FORM, "ContentLabel", "SeriesDate", "SeriesTime")
)


@dataclass(frozen=True)
class Provenance:
    """When a segmentation was made (YYYYMMDDHHMMSS) and for which task, "" where it is not ours.

    `patient` holds the attributes that tell whose it is, by keyword. `probabilities`: it says how sure the model was,
    beside another of the same job that says what was found.
    """

    patient: dict[str, str] = field(default_factory=dict, repr=False)
    made: str = ""
    task: str = ""
    probabilities: bool = False


def provenance_of(path: Path, syntax: str, *, known: bool, device_uids: frozenset[str] = frozenset()) -> Provenance:
    """Read a stored segmentation's header; Unavailable where the disk fails.

    `known`: it was made here. `device_uids`: of the models that are installed. What cannot be read is not ours.
    """
    try:
        with path.open("rb") as file:
            stream, start = data_set_in(file, UID(syntax), MAX_HEADER_BYTES)
            stream.seek(start)
            head = stream.read(MAX_HEADER_BYTES)
    except FileNotFoundError:
        return Provenance()
    except OSError as trouble:
        raise Unavailable(f"the archive's disk failed: {trouble.strerror}") from trouble
    except PARSE_FAULTS:
        return Provenance()
    try:
        with counted():
            return _provenance(_parsed(head, UID(syntax)), known, device_uids)
    except PARSE_FAULTS:
        return Provenance()


def _parsed(head: bytes, syntax: UID) -> Dataset:
    return read_dataset(
        CountedBytes(head),
        is_implicit_VR=syntax.is_implicit_VR,
        is_little_endian=syntax.is_little_endian,
        stop_when=lambda tag, _vr, _length: tag > _WANTED[-1],
        specific_tags=[BaseTag(tag) for tag in _WANTED],
    )


def _provenance(ds: Dataset, known: bool, device_uids: frozenset[str]) -> Provenance:
    digests = {
        digest
        for segment in items_of(ds, SEGMENTS)
        for algorithm in items_of(segment, ALGORITHM)
        for digest in DIGEST.findall(_said(algorithm, "AlgorithmParameters"))
    }
    proven = any(
        _said(item, "DeviceUID") in device_uids.union(device_uid(_model(item, digest)) for digest in digests)
        for item in items_of(ds, EQUIPMENT)
    )
    return Provenance(
        patient={keyword: said for keyword in PATIENT if (said := _said(ds, keyword))},
        made=_said(ds, "SeriesDate") + _said(ds, "SeriesTime")[:6],
        task=LABELS.get(_said(ds, "ContentLabel"), "") if proven or known else "",
        probabilities=_said(ds, FORM) == "PROBABILITY",
    )


def _model(item: Dataset, sha256: str) -> ModelIdentity:
    names = ("ManufacturerModelName", "SoftwareVersions", "Manufacturer")
    name, version, manufacturer = (_said(item, keyword) for keyword in names)
    return ModelIdentity(name, version, sha256, manufacturer, IntendedUse.DEMONSTRATION)  # the use is in no UID


def _said(item: Dataset, keyword: str) -> str:
    return str(value_of(item, keyword) or "")
