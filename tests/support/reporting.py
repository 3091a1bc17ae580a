"""Measurement reports that persons send back: ours, edited, and one as a viewer with habits of its own writes it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian, generate_uid

from dicom_node.objects.validate import groups

NAME = "Roentgen^Wilhelm"


def edited(ours: Dataset, *, replaces: bool = True, verified: bool = False) -> Dataset:
    """A copy of a report under UIDs of its own; `replaces` ours (PS3.3 C.17.2), `verified` by a person."""
    copy = deepcopy(ours)
    copy.SOPInstanceUID, copy.SeriesInstanceUID = generate_uid(), generate_uid()
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    if replaces:
        copy.PredecessorDocumentsSequence = [reference_to(ours)]
    if verified:
        copy.VerificationFlag = "VERIFIED"
        observer = Dataset()
        observer.VerifyingObserverName, observer.VerificationDateTime = NAME, "20250402120000"
        observer.VerifyingOrganization = "Hospital"
        observer.VerifyingObserverIdentificationCodeSequence = []
        copy.VerifyingObserverSequence = [observer]
    return copy


def reference_to(*instances: Dataset) -> Dataset:
    """How a report names instances of one study (PS3.3 table 10-11), each in a series of its own."""
    study = Dataset()
    study.StudyInstanceUID, study.ReferencedSeriesSequence = instances[0].StudyInstanceUID, []
    for instance in instances:
        item, series = Dataset(), Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = instance.SOPClassUID, instance.SOPInstanceUID
        series.SeriesInstanceUID, series.ReferencedSOPSequence = instance.SeriesInstanceUID, [item]
        study.ReferencedSeriesSequence.append(series)
    return study


def measurements(report: Dataset) -> Dataset:
    """The container of the measurement groups (126010)."""
    return next(item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")


def remove_group(report: Dataset, number: int) -> None:
    """Take a measurement group out of the report."""
    measurements(report).ContentSequence.remove(groups(report)[number])


def child(item: Dataset, value: str) -> Dataset:
    """The first child of a content item whose concept has this code."""
    return next(one for one in item.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue == value)


def measure(group: Dataset, quantity: str, value: str) -> None:
    """Give the group's first measurement of a quantity another value, as it is written."""
    child(group, quantity).MeasuredValueSequence[0]["NumericValue"].value = value


def track(group: Dataset, uid: str) -> None:
    """Give the group another tracking UID."""
    child(group, "112040").UID = uid


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def content(kind: str, name: Dataset, relation: str = "CONTAINS", **elements: Any) -> Dataset:
    """A content item of a report's tree (PS3.3 C.17.3)."""
    item = Dataset()
    item.RelationshipType, item.ValueType, item.ConceptNameCodeSequence = relation, kind, [name]
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def container(value: str, meaning: str, *children: Dataset) -> Dataset:
    """A part of the tree that is named by a code of DCM."""
    parts = list(children)
    return content("CONTAINER", code(value, "DCM", meaning), ContinuityOfContent="SEPARATE", ContentSequence=parts)


def number(name: Dataset, value: str, unit: str, *children: Dataset) -> Dataset:
    measured = Dataset()
    measured.MeasurementUnitsCodeSequence, measured.NumericValue = [code(unit, "UCUM", unit)], value
    return content("NUM", name, MeasuredValueSequence=[measured], ContentSequence=list(children))


def person(name: str = NAME) -> list[Dataset]:
    """The observer as a person (TID 1003)."""
    kind = content("CODE", code("121005", "DCM", "Observer Type"), "HAS OBS CONTEXT")
    kind.ConceptCodeSequence = [code("121006", "DCM", "Person")]
    return [kind, content("PNAME", code("121008", "DCM", "Person Observer Name"), "HAS OBS CONTEXT", PersonName=name)]


def drawn_group(uid: str, image: Dataset, long_mm: str) -> Dataset:
    """A lesion as a viewer draws it on an image: one line, in the codes of SNOMED's old scheme (TID 1410)."""
    source = content("IMAGE", code("121112", "DCM", "Source of Measurement"), "SELECTED FROM")
    source.ReferencedSOPSequence = reference_to(image).ReferencedSeriesSequence[0].ReferencedSOPSequence
    line = content("SCOORD", code("111030", "DCM", "Image Region"), "INFERRED FROM", ContentSequence=[source])
    line.GraphicType, line.GraphicData = "POLYLINE", [1.5, 2.5, 1.5, 9.5]
    finding = content("CODE", code("121071", "DCM", "Finding"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the code is longer than SH may be, as it is there
        finding.ConceptCodeSequence = [code("CORNERSTONEFREETEXT", "CORNERSTONEJS", "of " + NAME)]
    parts = [
        content("TEXT", code("112039", "DCM", "Tracking Identifier"), "HAS OBS CONTEXT", TextValue="Bidirectional"),
        content("UIDREF", code("112040", "DCM", "Tracking Unique Identifier"), "HAS OBS CONTEXT", UID=uid),
        finding,
        number(code("G-A185", "SRT", "Long axis of " + NAME), long_mm, "mm", line),
    ]
    return container("125007", "Measurement Group", *parts)


def viewers_report(header: Dataset, drawn: Sequence[Dataset], cites: Sequence[Dataset]) -> Dataset:
    """A Comprehensive SR as OHIF writes it: a person observes, few numbers, evidence of images, no predecessor."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = ComprehensiveSRStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.SeriesInstanceUID, ds.Modality, ds.PatientName = generate_uid(), "SR", header.PatientName
    ds.StudyInstanceUID, ds.PatientID = header.StudyInstanceUID, header.PatientID
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [code("126000", "DCM", "Imaging Measurement Report")]
    ds.CurrentRequestedProcedureEvidenceSequence = [reference_to(*cites)]
    ds.ContentSequence = [
        *person(),
        container("111028", "Image Library"),
        container("126010", "Imaging Measurements", *drawn),
    ]
    return ds
