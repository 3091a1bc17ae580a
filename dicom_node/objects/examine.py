"""`segnode validate`: what is wrong with a SEG or SR that lies in a file, whoever wrote it.

The rules are those that viewers break on (OHIF, Slicer, Weasis) and those of the standard that checkers of IODs do not
look at. Sentences name attributes and numbers, never values that may be a patient's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from dicom_node.errors import BadDataset, ResultInvalid
from dicom_node.objects.checker import dciodvfy
from dicom_node.objects.decode import LABELMAP_SEGMENTATION, SEGMENTATIONS, all_or_nothing, segments_seen, source_of
from dicom_node.objects.planes import plane_of
from dicom_node.objects.source import Reference
from dicom_node.objects.validate import REPORTS, groups, items, name_of
from inference.volume import SliceSource

_PATIENT_AND_STUDY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate",
                      "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName")  # Type 1 and 2
_EACH_SEGMENT = ("SegmentLabel", "SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence",
                 "SegmentAlgorithmType", "RecommendedDisplayCIELabValue")


def examine(file: Path, source_files: Sequence[Path] = ()) -> list[str]:
    """Every problem of a file in a sentence; with its sources, also whether it lies where they lie.

    BadDataset where it is no Part 10 file.
    """
    try:
        ds = dcmread(file)
    except (InvalidDicomError, OSError, EOFError) as fault:
        raise BadDataset(f"{file.name} cannot be read as a DICOM file: {type(fault).__name__}") from fault
    problems = [*_identity(ds)]
    if ds.get("SOPClassUID") in SEGMENTATIONS:
        problems += _guarded(_segmentation(ds), "the segmentation")
        problems += _guarded(_places(ds, source_files), "the places of its frames") if source_files else []
    elif ds.get("SOPClassUID") in REPORTS:
        problems += _guarded(_report(ds), "the report")
    content = file.read_bytes()
    try:
        dciodvfy(content, labelmap=LABELMAP_SEGMENTATION.encode() in content)  # it is one, or cites one
    except ResultInvalid as wrong:
        problems.append(str(wrong))
    return problems


def _guarded(found: Iterator[str], what: str) -> Iterator[str]:
    """A file that lacks what a rule looks at is told of as such, without its values."""
    try:
        yield from found
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as fault:
        yield f"{what} cannot be judged further: {type(fault).__name__}, an attribute is missing or of another kind"


def _identity(ds: Dataset) -> Iterator[str]:
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        value = ds.get(keyword)
        if not value or not UID(str(value)).is_valid:
            yield f"{keyword} is missing or no UID"
    if ds.file_meta.get("MediaStorageSOPInstanceUID") != ds.get("SOPInstanceUID"):
        yield "the file meta information names another SOP instance than the data set"
    for keyword in _PATIENT_AND_STUDY:
        if keyword not in ds:
            yield f"{keyword} is missing (it may be empty)"


def _segmentation(seg: Dataset) -> Iterator[str]:
    series = seg.get("ReferencedSeriesSequence") or ()
    if len(series) != 1:
        yield f"it refers to {len(series)} source series; viewers show one only, and none without"
    if seg.SegmentationType == "FRACTIONAL" and not all_or_nothing(seg):
        yield "it is FRACTIONAL with values between 0 and the maximum: OHIF shows none"
    if not seg.get("FrameOfReferenceUID"):
        yield "FrameOfReferenceUID is missing"
    yield from _segments([item for item in seg.SegmentSequence if item.SegmentNumber])
    voxels: Counter[int] = Counter()
    without = 0
    for group, number, mask in segments_seen(seg):
        voxels[number] += int(mask.sum())
        derivation = group.get("DerivationImageSequence") or ()
        without += not (derivation and derivation[0].get("SourceImageSequence"))
    if without:
        yield f"{without} frames refer to no source image; viewers leave them out"
    numbers = [int(item.SegmentNumber) for item in seg.SegmentSequence if item.SegmentNumber]
    for number in numbers:
        if not voxels[number]:
            yield f"segment {number} has no voxels"
    for number in sorted(set(voxels) - set(numbers)):
        yield f"frames show segment {number}, which is not described"


def _segments(segments: Sequence[Dataset]) -> Iterator[str]:
    if [int(item.SegmentNumber) for item in segments] != list(range(1, len(segments) + 1)):
        yield "segments are not numbered 1, 2, 3… in their order; viewers take the one for the other"
    for place, item in enumerate(segments, start=1):
        for keyword in _EACH_SEGMENT:
            if not item.get(keyword):
                yield f"segment {place} has no {keyword}"
        if bool(item.get("TrackingID")) != bool(item.get("TrackingUID")):
            yield f"segment {place} has only one of TrackingID and TrackingUID"
    tracks = Counter(str(item.TrackingUID) for item in segments if item.get("TrackingUID"))
    if any(count > 1 for count in tracks.values()):
        yield "two segments share a TrackingUID; viewers merge them"


def _planes(files: Sequence[Path]) -> dict[Reference, Dataset]:
    """Each source slice with its plane."""
    found = {}
    for path in files:
        ds = dcmread(path, stop_before_pixels=True)
        count = int(ds.get("NumberOfFrames") or 0)
        for frame in range(1, count + 1) if count else (None,):
            uid = str(ds.SOPInstanceUID)
            found[Reference(str(ds.SOPClassUID), uid, frame)] = plane_of(ds, SliceSource(uid, frame), 1.0)
    return found


def _places(seg: Dataset, source_files: Sequence[Path]) -> Iterator[str]:
    planes = _planes(source_files)
    shared = seg.SharedFunctionalGroupsSequence[0].get("PlaneOrientationSequence")
    unknown = elsewhere = other = 0
    for group, _, mask in segments_seen(seg):
        plane = planes.get(source_of(group))
        if plane is None:
            unknown += 1
            continue
        orientation = (group.get("PlaneOrientationSequence") or shared)[0].ImageOrientationPatient
        same = (np.allclose(group.PlanePositionSequence[0].ImagePositionPatient, plane.ImagePositionPatient, atol=1e-3)
                and np.allclose(orientation, plane.ImageOrientationPatient, atol=1e-4))
        elsewhere += not same
        other += mask.shape != (plane.Rows, plane.Columns)
    for count, words in ((unknown, "refer to an image that is not among the sources"),
                         (elsewhere, "lie elsewhere than the image that they refer to"),
                         (other, "have other Rows or Columns than the image that they refer to")):
        if count:
            yield f"{count} frames {words}"


def _report(report: Dataset) -> Iterator[str]:
    template = report.get("ContentTemplateSequence") or ()
    if not template or template[0].get("TemplateIdentifier") != "1500":
        yield "its root names no TID 1500; readers of measurements pass it over"
    if name_of(report) != "126000":
        yield "its title is not (126000, DCM, Imaging Measurement Report), the one that OHIF takes"
    if not any(name_of(item) == "111028" for item in items(report)):
        yield "it has no Image Library; some versions of OHIF fail on that"
    evidence = {
        str(sop.ReferencedSOPInstanceUID)
        for sequence in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in report.get(sequence) or ()
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }
    cited = [str(sop.ReferencedSOPInstanceUID) for item in items(report)
             for sop in item.get("ReferencedSOPSequence") or ()]
    if missing := len(set(cited) - evidence):
        yield f"it cites {missing} instances that its evidence does not list"
    yield from _groups(groups(report))


def _groups(found: Sequence[Dataset]) -> Iterator[str]:
    tracks: Counter[str] = Counter()
    columns = []
    for place, group in enumerate(found, start=1):
        children = group.get("ContentSequence") or ()
        names = [name_of(child) for child in children]
        for code, words in (("112039", "Tracking Identifier"), ("112040", "Tracking Unique Identifier")):
            if code not in names:
                yield f"measurement group {place} has no {words}; viewers fail on that"
        tracks.update(str(child.UID) for child in children if name_of(child) == "112040")
        columns.append([(name_of(child), *map(name_of, child.get("ContentSequence") or ()))
                        for child in children if child.ValueType == "NUM"])
    if any(count > 1 for count in tracks.values()):
        yield "two measurement groups share a Tracking Unique Identifier; viewers merge them"
    with_segments = [column for column, group in zip(columns, found, strict=True)
                     if any(name_of(child) == "121191" for child in group.get("ContentSequence") or ())]
    if any(column != with_segments[0][:len(column)] for column in with_segments):  # lacking the last ones, none shifts
        yield "measurement groups differ in their measurements or their order; Slicer fills its table by position"
