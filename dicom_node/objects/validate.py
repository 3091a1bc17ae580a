"""Our own check of each object, on the bytes that are about to leave.

It decodes by itself, without the library that encoded: what is compared with the model's mask is what
a viewer will see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.errors import ResultInvalid
from dicom_node.objects.copied import is_copied
from dicom_node.objects.decode import SEGMENTATIONS, all_or_nothing, reference_in, segments_seen, source_of
from dicom_node.objects.fractional import expected_frames
from dicom_node.objects.identity import JobNames
from dicom_node.objects.planes import corners
from dicom_node.objects.source import Sources
from inference.findings import Finding, Result
from inference.trend import Trend

REPORTS = frozenset({Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage})

_REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesNumber",
             "InstanceNumber", "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions",
             "InstanceCreationDate", "SeriesDescription", "ContributingEquipmentSequence")
# What these cite is of an earlier generation, or of the request; nor is what is copied from the images ours.
_OF_OTHERS = ("PredecessorDocumentsSequence", "ReferencedPerformedProcedureStepSequence", "ReferencedRequestSequence",
              "RequestAttributesSequence")
_FROM_PATIENT = ("StudyInstanceUID", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber")
_PLACE = ("Rows", "Columns", "FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")


def check_objects(objects: Sequence[bytes], result: Result, sources: Sources, names: JobNames) -> None:
    """ResultInvalid unless every object is whole, of this patient, and says what `result` says."""
    datasets = [dcmread(BytesIO(part10)) for part10 in objects]
    for ds in datasets:
        _check_attributes(ds, sources)
    _require(len({ds.SOPInstanceUID for ds in datasets}) == len(datasets), "two objects share a SOPInstanceUID")
    # viewers show a series' last SEG or SR only
    alone = [ds.SeriesInstanceUID for ds in datasets if ds.SOPClassUID in SEGMENTATIONS | REPORTS]
    _require(len(set(alone)) == len(alone), "two objects share a SeriesInstanceUID")
    for ds in datasets:
        if ds.get("SegmentationFractionalType") == "PROBABILITY":
            check_segments(ds, result, names)
            check_fractions(ds, result, sources)
        elif ds.SOPClassUID == SecondaryCaptureImageStorage:
            check_capture(ds, sources)
        elif ds.SOPClassUID == ParametricMapStorage:
            unsure = ds.SeriesInstanceUID == names.series("uncertainty")
            check_map(ds, result.uncertainty if unsure else result.probability, sources)
    segs = [ds for ds in datasets
            if ds.SOPClassUID in SEGMENTATIONS and ds.get("SegmentationFractionalType") != "PROBABILITY"]
    found = [check_segments(seg, result, names) for seg in segs]
    if segs:
        numbers = [finding.number for segments in found for finding in segments.values()]
        _require(numbers == [f.number for f in result.findings], "the segments are not the findings, in their order")
    for seg, segments in zip(segs, found, strict=True):
        check_voxels(seg, segments, result, sources)
    known = {str(e.SOPInstanceUID): str(e.SOPClassUID) for e in (*sources.evidence, *datasets)}
    for ds in datasets:
        check_citations(ds, known)
        if ds.SOPClassUID in REPORTS:
            check_evidence(ds)
            check_groups(ds, segs)
        if result.trend and ds.SeriesInstanceUID == names.series("summary"):
            check_trend(ds, result.trend, {names.finding(finding) for finding in result.findings})


def check_segments(seg: Dataset, result: Result, names: JobNames) -> dict[int, Finding]:
    """Segments are numbered in place, named, coloured and tracked as findings are; the finding of each number."""
    findings = {names.finding(finding): finding for finding in result.findings}
    segments = [item for item in seg.SegmentSequence if item.SegmentNumber]  # 0: a LABELMAP's background
    found = {}
    for number, segment in enumerate(segments, start=1):
        _require(segment.SegmentNumber == number, f"segment {number} is not in its place")
        for keyword in ("SegmentLabel", "RecommendedDisplayCIELabValue", "TrackingID", "TrackingUID",
                        "SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence",
                        "SegmentationAlgorithmIdentificationSequence"):
            _require(bool(segment.get(keyword)), f"segment {number} has no {keyword}")
        _require(str(segment.TrackingUID) in findings, f"segment {number} has the track of no finding")
        found[number] = findings[str(segment.TrackingUID)]
    return found


def check_voxels(seg: Dataset, segments: Mapping[int, Finding], result: Result, sources: Sources) -> None:
    """Every frame decodes to the model's mask, lies where its source slice lies, and refers to it."""
    labels: NDArray[np.unsignedinteger] = np.load(result.labelmap, mmap_mode="r")
    _check_places(sources, result)
    slice_of = {reference: z for z, reference in enumerate(sources.references)}
    _require(seg.SegmentationType != "FRACTIONAL" or all_or_nothing(seg), "a voxel is neither in its segment nor out")
    decoded = dict.fromkeys(segments, 0)
    seen: set[tuple[int, int]] = set()
    places = np.array([plane.ImagePositionPatient for plane in sources.planes], dtype=float)
    _check_orientation(seg, sources)
    for group, number, mask in segments_seen(seg):
        z = slice_of.get(source_of(group))
        if z is None:
            raise ResultInvalid(f"a frame of segment {number} refers to no source slice")
        off = np.abs(np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float) - places[z])
        _require(bool((off <= 1e-4 + 1e-5 * np.abs(places[z])).all()),
                 f"a frame of segment {number} lies elsewhere than its source slice")
        _require((number, z) not in seen, f"slice {z + 1} of segment {number} is there twice")
        _require(number in segments and np.array_equal(mask, labels[z] == segments[number].number),
                 f"slice {z + 1} of segment {number} is not the mask")
        seen.add((number, z))
        decoded[number] += int(np.count_nonzero(mask))
    for number, finding in segments.items():
        _require(decoded[number] == finding.voxels > 0,
                 f"segment {number} holds {decoded[number]} of {finding.voxels} voxels")


def _check_orientation(seg: Dataset, sources: Sources) -> None:
    shared = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    planes = np.array([plane.ImageOrientationPatient for plane in sources.planes], dtype=float)
    _require(bool(np.allclose(np.array(shared, dtype=float), planes, atol=1e-6)),
             "its frames are turned otherwise than their source slices")


def check_fractions(seg: Dataset, result: Result, sources: Sources) -> None:
    """Every frame of a SEG of probabilities decodes to the model's probabilities where the finding is."""
    for number, (frame, expected) in enumerate(zip(iter_pixels(seg), expected_frames(seg, result, sources),
                                                   strict=True), start=1):
        _require(np.array_equal(frame, expected), f"frame {number} of the probabilities is not the model's")


def check_map(pm: Dataset, expected: Path | None, sources: Sources) -> None:
    """Every frame of a parametric map decodes to the model's values (.npy) of the slice that it refers to."""
    assert expected is not None
    given: NDArray[np.float16] = np.load(expected, mmap_mode="r")
    slice_of = {reference: z for z, reference in enumerate(sources.references)}
    values = np.frombuffer(pm.FloatPixelData, np.float32).reshape(-1, int(pm.Rows), int(pm.Columns))
    for group, frame in zip(pm.PerFrameFunctionalGroupsSequence, values, strict=True):
        z = slice_of.get(source_of(group))
        _require(z is not None and np.array_equal(frame, given[z].astype(np.float32)),
                 "a frame of a map is not what the model gave of its slice")


def check_citations(ds: Dataset, known: Mapping[str, str]) -> None:
    """Whatever an object cites, wherever it does, is a source or another object of the same result."""
    for raw in ds.elements():
        if raw.VR not in ("SQ", None):  # None: not known before it is looked at, in implicit VR
            continue
        element = ds[raw.tag]
        if element.VR != "SQ" or element.keyword in _OF_OTHERS or is_copied(element.tag):
            continue
        for item in element.value:
            uid = item.get("ReferencedSOPInstanceUID")
            study = element.keyword == "RTReferencedStudySequence"  # cites a study by an instance's attribute
            _require(uid is None or study or known.get(str(uid)) == item.ReferencedSOPClassUID,
                     f"{element.keyword} cites an unknown instance")
            check_citations(item, known)


def check_capture(ds: Dataset, sources: Sources) -> None:
    """A picture cites one source slice, lies where that lies, and holds a colour for each of its pixels."""
    cited = [reference_in(item) for item in ds.get("SourceImageSequence") or ()]
    _require(len(cited) == 1 and cited[0] in sources.references, "a picture cites no source slice")
    plane = sources.planes[sources.references.index(cited[0])]
    for keyword in _PLACE:
        _require(ds.get(keyword) == plane.get(keyword), f"a picture's {keyword} is not its source slice's")
    _require((ds.get("SamplesPerPixel"), ds.get("BitsAllocated"), ds.get("PhotometricInterpretation")) == (3, 8, "RGB"),
             "a picture is not in colour")
    samples = 3 * int(plane.Rows) * int(plane.Columns)
    _require(len(ds.PixelData) - samples in (0, samples % 2), "a picture has more or fewer pixels than its matrix")
    _require(ds.get("BurnedInAnnotation") == "YES", "a picture hides that words are burned in")


def check_evidence(report: Dataset) -> None:
    """All that the report's content cites stands in its evidence."""
    evidence = {
        str(sop.ReferencedSOPInstanceUID)
        for study in report.get("CurrentRequestedProcedureEvidenceSequence") or ()
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }
    for item in items(report):
        for sop in item.get("ReferencedSOPSequence") or ():
            _require(str(sop.ReferencedSOPInstanceUID) in evidence,
                     "the report cites an instance that its evidence lacks")


def check_groups(report: Dataset, segs: Sequence[Dataset]) -> None:
    """Groups that refer to segments are as many, in the same order, and of the same tracks as the segments."""
    tracks = {(str(seg.SOPInstanceUID), int(s.SegmentNumber)): str(s.TrackingUID)
              for seg in segs for s in seg.SegmentSequence if s.SegmentNumber}
    found = []
    for group in groups(report):
        children = group.ContentSequence
        uids = [str(c.UID) for c in children if c.ValueType == "UIDREF" and name_of(c) == "112040"]
        _require(len(uids) == 1, "a measurement group has no tracking UID")
        for child in children:
            if name_of(child) == "121191":
                sop = child.ReferencedSOPSequence[0]
                segment = (str(sop.ReferencedSOPInstanceUID), int(sop.ReferencedSegmentNumber))
                _require(tracks.get(segment) == uids[0], "a group and its segment are not of one track")
                found.append(segment)
    _require(not found or found == list(tracks), "groups do not follow the segments' order")


def check_trend(summary: Dataset, trend: Trend, now: Set[str]) -> None:
    """Each lesion of the trend has one group; it goes by a segment's track just where this study shows it.

    `now` are the tracks of the findings, which `check_segments` holds to be those of the segments.
    """
    tracks = [str(child.UID) for group in groups(summary) for child in group.ContentSequence
              if name_of(child) == "112040"]
    for since in trend.lesions:
        _require(tracks.count(since.tracking_uid) == 1, "a lesion of the trend has not one group of its track")
        _require((since.after is not None) == (since.tracking_uid in now),
                 "a lesion of the trend and its segment are not of one track")


def groups(report: Dataset) -> list[Dataset]:
    """The measurement groups (125007) of a TID 1500 report."""
    return [item for item in items(report) if item.ValueType == "CONTAINER" and name_of(item) == "125007"]


def _check_attributes(ds: Dataset, sources: Sources) -> None:
    for keyword in _REQUIRED:
        _require(ds.get(keyword) not in (None, ""), f"an object has no {keyword}")
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        _require(UID(ds[keyword].value).is_valid, f"an object's {keyword} is no UID")
    _require(ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID, "file meta and data set disagree")
    for keyword in _FROM_PATIENT:
        _require((ds.get(keyword) or "") == (sources.header.get(keyword) or ""), f"an object has another {keyword}")
    _require(ds.SeriesInstanceUID != sources.header.SeriesInstanceUID, "an object lies in its source's series")


def _check_places(sources: Sources, result: Result) -> None:
    """The source slices lie where the model's grid lies, to a quarter of a voxel."""
    shape = result.grid.shape
    tolerance = min(result.grid.spacing) / 4
    for z, plane in enumerate(sources.planes):
        expected = result.grid.to_lps([[z, 0, 0], [z, shape[1] - 1, shape[2] - 1]])
        _require(bool(np.abs(corners(plane) - expected).max() <= tolerance), f"slice {z + 1} is not where its image is")


def items(report: Dataset) -> Iterator[Dataset]:
    """Every content item of a report, parents first, in order."""
    yield report
    for child in report.get("ContentSequence") or ():
        yield from items(child)


def name_of(item: Dataset) -> str:
    """The code value of a content item's concept name, "" where it has none."""
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeValue) if names else ""


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ResultInvalid(otherwise)
