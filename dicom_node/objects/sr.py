"""The measurement report: one TID 1411 group a segment, in segment order, and nothing else beside them.

Readers fill a table's columns from the first group and its rows by position, so every group holds the
same measurements in the same order, and what a group of several lesions lacks stands last in the others; what concerns
several segments stands in the summary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from highdicom import sr
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_node.objects import wording
from dicom_node.objects.codes import BORDER_ENTROPY, ENTROPY, OWN_SCHEME, PROBABILITY, concept
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.report import Content, algorithm, number, write_report
from dicom_node.objects.seg import Segmented
from dicom_node.objects.source import Sources
from inference.codes import MEAN, NO_UNITS, Code
from inference.findings import Finding, Measurement, Result

KIND = "sr"


class Column(NamedTuple):
    """What tells one measurement of a finding from another."""

    quantity: Code
    unit: Code
    derivation: Code | None
    method: Code | None


def encode_measurements(result: Result, segs: Sequence[Segmented], sources: Sources,
                        context: EncodeContext) -> Dataset:
    """The SR of a result's segments; `segs` are the objects that hold them."""
    shared = columns(result.findings)
    content = Content(
        kind=KIND,
        title="measurements",
        groups=[_group(finding, shared, result, segs, sources, context) for finding in result.findings],
        library=library(result, context),
        cites=[one.seg for one in segs],
        own_codes=any(column.quantity.scheme == OWN_SCHEME for column in shared),
    )
    return write_report(content, result, sources, context)


def columns(findings: Sequence[Finding]) -> tuple[Column, ...]:
    """The measurements that every finding has with a finite value, in the first finding's order.

    Then those that all have but such as several lesions share.
    """
    if not findings:
        return ()
    tables = [table(finding) for finding in findings]
    of_one = [held for held, finding in zip(tables, findings, strict=True) if finding.count == 1]
    by_all, by_one = ([column for column in tables[0] if all(column in held for held in some)]
                      for some in (tables, of_one or tables))
    return *by_all, *(column for column in by_one if column not in by_all)


def table(finding: Finding) -> dict[Column, Measurement]:
    """A finding's measurements by column, among them how sure the model was."""
    measurements = list(finding.measurements)
    if finding.confidence is not None:
        measurements.append(Measurement(PROBABILITY, finding.confidence, NO_UNITS))
    if finding.entropy is not None:
        measurements.append(Measurement(ENTROPY, finding.entropy.inside, NO_UNITS, MEAN))
        measurements.append(Measurement(BORDER_ENTROPY, finding.entropy.border, NO_UNITS, MEAN))
    return {Column(m.quantity, m.unit, m.derivation, m.method): m for m in measurements if math.isfinite(m.value)}


def omitted(findings: Sequence[Finding]) -> list[str]:
    """The measurements that the report leaves out because some finding lacks them, each in a sentence."""
    shared = set(columns(findings))
    return [f"{column.quantity.meaning} of {finding.label} is not in the report: other findings have none"
            for finding in findings for column in table(finding) if column not in shared]


def library(result: Result, context: EncodeContext) -> list[int]:
    """The first slice, the last, and those with findings; all where the profile says so."""
    labels: NDArray[np.unsignedinteger] = np.load(result.labelmap, mmap_mode="r")
    slices = range(len(labels))
    if context.profile.library == "all":
        return list(slices)
    return [z for z in slices if z in (0, len(labels) - 1) or labels[z].any()]


def site_of(finding: Finding) -> sr.FindingSite:
    """Where it is: its region, or for an organ the organ itself."""
    return sr.FindingSite(
        anatomic_location=concept(finding.structure.region or finding.structure.type),
        laterality=concept(finding.laterality) if finding.laterality else None,
    )


def _group(finding: Finding, shared: Sequence[Column], result: Result, segs: Sequence[Segmented], sources: Sources,
           context: EncodeContext) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    values = table(finding)
    [(seg, segment)] = [(one.seg, place) for one in segs if (place := one.segment_of(finding))]
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=context.names.finding(finding),
            identifier=wording.plain(finding.label),
        ),
        referenced_segment=sr.ReferencedSegment(
            seg.SOPClassUID,
            seg.SOPInstanceUID,
            segment,
            source_series=sr.SourceSeriesForSegmentation(sources.series_instance_uid),
        ),
        finding_category=concept(finding.structure.category),
        finding_type=concept(finding.structure.type),
        finding_sites=[site_of(finding)],
        algorithm_id=algorithm(result.model),
        measurements=[number(values[column]) for column in shared if column in values],
    )
