"""The RT Structure Set: findings as contours in patient space, for treatment planning (PS3.3 A.19).

Contours follow the pixels' edges, so the pixels whose centres they enclose are the mask. A hole is joined to
its rim by a keyhole (PS3.3 C.8.8.6.3): a contour of its own inside another is filled by many readers, and
CLOSEDPLANAR_XOR is unknown to older ones. Each contour names the image, and the frame, in whose plane it
lies; that holds for oblique images too, though planning systems may take axial ones only.
"""

from __future__ import annotations

import numpy as np
from highdicom.base import SOPClass
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage

from dicom_node.errors import ResultInvalid
from dicom_node.objects import wording
from dicom_node.objects.codes import concept, processing_equipment
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.contours import Polygon, keyhole, outlines
from dicom_node.objects.finish import finish
from dicom_node.objects.labelmap import Labels, is_lesion, load_labels
from dicom_node.objects.planes import to_lps
from dicom_node.objects.source import Sources
from inference.codes import NEOPLASM
from inference.findings import Finding, IntendedUse, Result

KIND = "structures"
LONGEST_VALUE = 65534  # bytes: the length of a DS in explicit VR has 16 bits (PS3.5 7.1.2)
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"  # Detached Study Management: retired, and what everyone writes here
_CONTOUR_DATA = Tag("ContourData")


def encode_structures(result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    """One ROI a finding, of its number; unapproved. ResultInvalid where there is no finding."""
    if not result.findings:
        raise ResultInvalid("a result without findings has no structures")
    labels = load_labels(result, sources)
    header = sources.header
    structures = SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        **context.general(KIND),
        sop_class_uid=RTStructureSetStorage,
        modality="RTSTRUCT",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        patient_id=header.PatientID,
        patient_name=header.PatientName,
        patient_birth_date=header.PatientBirthDate,
        patient_sex=header.PatientSex,
        study_id=header.StudyID,
        accession_number=header.AccessionNumber,
        study_date=header.StudyDate,
        study_time=header.StudyTime,
        referring_physician_name=header.ReferringPhysicianName,
        series_description=wording.series_description(result, "structures", context.incomplete),
    )
    structures.copy_patient_and_study_information(sources.planes[0])
    structures.OperatorsName = ""
    structures.FrameOfReferenceUID = header.FrameOfReferenceUID
    structures.PositionReferenceIndicator = header.get("PositionReferenceIndicator", "")
    structures.ContributingEquipmentSequence = [processing_equipment(result.model, context)]
    _describe(structures, result, sources, context)
    structures.ReferencedFrameOfReferenceSequence = [_frame_of_reference(sources)]
    structures.StructureSetROISequence = [_roi(f, result, sources, context) for f in result.findings]
    structures.ROIContourSequence = [_contours(f, labels, sources) for f in result.findings]
    structures.RTROIObservationsSequence = [_observation(f) for f in result.findings]
    structures.ApprovalStatus = "UNAPPROVED"
    return finish(structures, header, context)


def _describe(structures: Dataset, result: Result, sources: Sources, context: EncodeContext) -> None:
    """The label is what planning systems list: the mark, or for clinical use the task."""
    use = result.model.intended_use
    clinical = use is IntendedUse.CLINICAL
    structures.StructureSetLabel = wording.content_label(result.task) if clinical else use.upper()
    structures.StructureSetName = wording.series_description(result, "structures", context.incomplete)
    sentences = [f"{wording.content_description(result.model)}.", wording.intended_use_sentence(result.model)]
    if context.incomplete:
        sentences.append(wording.incomplete_sentence(context.incomplete))
    structures.StructureSetDescription = wording.plain(" ".join([*sentences, *sources.notes, *result.notes]), 1024)
    structures.StructureSetDate, structures.StructureSetTime = context.moment.date, context.moment.time


def _frame_of_reference(sources: Sources) -> Dataset:
    """The frame of reference, and every image of the series that contours may lie on (PS3.3 C.8.8.5)."""
    series = Dataset()
    series.SeriesInstanceUID = sources.series_instance_uid
    series.ContourImageSequence = sources.instances()
    study = Dataset()
    study.ReferencedSOPClassUID = _STUDY_CLASS
    study.ReferencedSOPInstanceUID = sources.header.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = sources.header.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def _roi(finding: Finding, result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    """The track stands in words: its place, the conceptual volume (3010,00A0), is younger than most readers."""
    roi = Dataset()
    roi.ROINumber = finding.number
    roi.ReferencedFrameOfReferenceUID = sources.header.FrameOfReferenceUID
    roi.ROIName = wording.plain(finding.label)
    roi.ROIDescription = f"Tracking UID {context.names.finding(finding)}"
    roi.ROIVolume = round(finding.volume_ml, 6)  # cubic centimetres
    roi.ROIGenerationAlgorithm = "AUTOMATIC"
    roi.ROIGenerationDescription = wording.content_description(result.model)
    return roi


def _contours(finding: Finding, labels: Labels, sources: Sources) -> Dataset:
    roi = Dataset()
    roi.ReferencedROINumber = finding.number
    roi.ROIDisplayColor = list(finding.structure.rgb)
    roi.ContourSequence = []
    for z, plane in enumerate(sources.planes):
        for points, value in _values(labels[z] == finding.number, plane):
            image = Dataset()
            sources.references[z].write(image)
            contour = Dataset()
            contour.ContourNumber = len(roi.ContourSequence) + 1
            contour.ContourImageSequence = [image]
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = points
            # As bytes, and written as they are: pydicom takes 30 s to make objects of a million numbers.
            contour[_CONTOUR_DATA] = RawDataElement(_CONTOUR_DATA, "DS", len(value), value, 0, False, True)
            contour.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding="iso8859")
            roi.ContourSequence.append(contour)
    return roi


def _values(mask: NDArray[np.bool_], plane: Dataset) -> list[tuple[int, bytes]]:
    """Points and Contour Data of a slice's contours; where one is longer than a value, the mask is cut across."""
    polygons = [keyhole(outline) for outline in outlines(mask)]
    values = [(len(polygon), _decimals(polygon, plane)) for polygon in polygons]
    if all(len(value) <= LONGEST_VALUE for _, value in values):
        return values
    rows = np.flatnonzero(mask.any(axis=1))
    upper = np.arange(len(mask))[:, None] <= (rows[0] + rows[-1]) // 2
    return _values(mask & upper, plane) + _values(mask & ~upper, plane)


def _decimals(polygon: Polygon, plane: Dataset) -> bytes:
    """The corners in LPS as Contour Data: millimetres to the thousandth, x\\y\\z of each in turn."""
    places = np.round(to_lps(plane, polygon - 0.5), 3) + 0.0  # corner 0 lies half a pixel before the centre of pixel 0
    value = "\\".join(f"{v:.3f}" for v in places.ravel().tolist()).encode()
    return value + b" " * (len(value) % 2)


def _observation(finding: Finding) -> Dataset:
    """What the ROI is, in code and as one of the types that planning systems know (PS3.3 C.8.8.8).

    An organ is an ORGAN and a neoplasm a gross tumour volume (GTV). What else is found, oedema or a nodule,
    may be neither: its type stays empty until a physician chooses.
    """
    observation = Dataset()
    observation.ObservationNumber = observation.ReferencedROINumber = finding.number
    observation.RTROIIdentificationCodeSequence = [concept(finding.structure.type)]
    observation.SegmentedPropertyCategoryCodeSequence = [concept(finding.structure.category)]
    region = finding.structure.region
    if region:
        observation.AnatomicRegionSequence = [concept(region)]
        if finding.laterality:
            observation.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [concept(finding.laterality)]
    if is_lesion(finding):
        observation.RTROIInterpretedType = "GTV" if finding.structure.type == NEOPLASM else ""
    else:
        observation.RTROIInterpretedType = "ORGAN"
    observation.ROIInterpreter = ""
    return observation
