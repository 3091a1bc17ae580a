"""The diameters as lines that viewers draw: TID 1501 groups, one a lesion, in a series of their own.

OHIF shows no numbers of a segment, but takes up a group whose tracking identifier names a tool of its own
(adapters' Bidirectional.ts): "Long Axis" and "Short Axis" by their meanings, each a line on a source image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from highdicom import sr
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_node.errors import ResultInvalid
from dicom_node.objects.codes import concept
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.report import Content, algorithm, comment, write_report
from dicom_node.objects.source import Reference, Sources
from dicom_node.objects.sr import site_of
from inference.codes import ABNORMAL_STRUCTURE, LONG_AXIS, MILLIMETRE, SHORT_AXIS, Code
from inference.findings import Axes, Finding, Point, Result

KIND = "diameters"
TOOL = "Cornerstone3DTools@^0.1.0:Bidirectional"


class Crossed(NamedTuple):
    """A lesion with both its diameters in mm and where they lie."""

    finding: Finding
    axes: Axes
    long_mm: float
    short_mm: float


def encode_bidirectional(result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    """The SR of the lesions' diameters; ResultInvalid where no lesion has any."""
    lesions = crossed(result)
    if not lesions:
        raise ResultInvalid("no lesion has diameters to draw")
    content = Content(
        kind=KIND,
        title="diameters",
        groups=[_group(lesion, result, sources, context) for lesion in lesions],
        library=sorted({lesion.axes.slice for lesion in lesions}),
    )
    return write_report(content, result, sources, context)


def crossed(result: Result) -> list[Crossed]:
    """The lesions whose diameters can be drawn, in the findings' order."""
    lesions = []
    for finding in result.findings:
        lengths = {m.quantity: m.value for m in finding.measurements if m.derivation is None}
        measured = {LONG_AXIS, SHORT_AXIS} <= lengths.keys()
        if measured and finding.axes and finding.structure.category == ABNORMAL_STRUCTURE:
            lesions.append(Crossed(finding, finding.axes, lengths[LONG_AXIS], lengths[SHORT_AXIS]))
    return lesions


def _group(lesion: Crossed, result: Result, sources: Sources, context: EncodeContext,
           ) -> sr.MeasurementsAndQualitativeEvaluations:
    finding, axes = lesion.finding, lesion.axes
    image = sources.references[axes.slice]
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=context.names.finding(finding), identifier=TOOL),
        finding_category=concept(finding.structure.category),
        finding_type=concept(finding.structure.type),
        finding_sites=[site_of(finding)],
        algorithm_id=algorithm(result.model),
        measurements=[_line(LONG_AXIS, lesion.long_mm, axes.long, image),
                      _line(SHORT_AXIS, lesion.short_mm, axes.short, image)],
    )
    comment(group, [finding.label])
    return group


def _line(axis: Code, length_mm: float, ends: tuple[Point, Point], image: Reference) -> sr.Measurement:
    """A diameter (TID 300) inferred from a line on an image; the image must be the line's, not the number's."""
    return sr.Measurement(
        name=concept(axis),
        value=length_mm,
        unit=concept(MILLIMETRE),
        referenced_coordinates=[sr.CoordinatesForMeasurement(
            graphic_type=sr.GraphicTypeValues.POLYLINE,
            graphic_data=on_image(ends),
            source_image=sr.SourceImageForRegion(
                image.sop_class_uid,
                image.sop_instance_uid,
                [image.frame] if image.frame is not None else None,
            ),
        )],
    )


def on_image(ends: tuple[Point, Point]) -> NDArray[np.float64]:
    """Points as an SCOORD has them (PS3.3 C.18.6.1.2): column and row, 0.5\\0.5 the centre of the first pixel."""
    return np.array([(point.column + 0.5, point.row + 0.5) for point in ends])
