"""The summary report: what holds for the study as a whole, as TID 1501 groups in a series of its own.

Here stand the number of lesions (0 is an answer too), the totals over several segments, where each
finding lies, the quality flags and the intended use; and where there is a prior, what became of each lesion since.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from highdicom import sr
from pydicom.dataset import Dataset

from dicom_node.objects import wording
from dicom_node.objects.codes import concept
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.places import place_sentence, thick_slices_sentence
from dicom_node.objects.report import Content, algorithm, comment, number, write_report
from dicom_node.objects.sought import sought
from dicom_node.objects.source import Sources
from dicom_node.objects.trend import trend_groups
from dicom_node.objects.trend_wording import trend_sentences
from inference.codes import ABNORMAL_STRUCTURE, LESIONS, NUMBER_OF_LESIONS
from inference.findings import Finding, Measurement, Result

KIND = "summary"
SUMMARY = "Summary"


def encode_summary(result: Result, sources: Sources, context: EncodeContext,
                   cites: Sequence[Dataset] = ()) -> Dataset:
    """The summary of a result, with or without findings; `cites` are its segmentations."""
    totals: dict[str, list[Measurement]] = {SUMMARY: [_lesions(result)]}
    for name, measurement in result.totals:
        if measurement.quantity != NUMBER_OF_LESIONS and math.isfinite(measurement.value):
            totals.setdefault(name, []).append(measurement)
    groups = [_group(name, measurements, result, context) for name, measurements in totals.items()]
    lacking = [wording.incomplete_sentence(context.incomplete)] if context.incomplete else []
    places = [sentence for finding in result.findings if (sentence := place_sentence(finding, result.grid))]
    measurable = thick_slices_sentence(result, sources.planes)
    comment(groups[0], [wording.intended_use_sentence(result.model), *lacking, *sources.notes, *result.notes,
                        *trend_sentences(result.trend), *filter(None, [measurable]), *places])
    content = Content(
        kind=KIND,
        title="summary",
        groups=[*groups, *trend_groups(result, context)],
        library=sorted({0, len(sources.planes) - 1}),
        cites=cites,
        own_codes=result.trend is not None,
    )
    return write_report(content, result, sources, context)


def count_lesions(findings: Sequence[Finding]) -> int:
    """Lesions among the findings; regions of one count once, those that share a finding each."""
    counts = {(f.structure.label if f.structure.per_lesion else 0, f.lesion): f.count for f in findings if f.lesion}
    return sum(counts.values())


def _lesions(result: Result) -> Measurement:
    for _, measurement in result.totals:
        if measurement.quantity == NUMBER_OF_LESIONS:
            return measurement
    return Measurement(NUMBER_OF_LESIONS, float(count_lesions(result.findings)), LESIONS)


def _group(name: str, measurements: Sequence[Measurement], result: Result, context: EncodeContext,
           ) -> sr.MeasurementsAndQualitativeEvaluations:
    lesion = sought(result)
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=context.names.tracking(name), identifier=wording.plain(name)),
        finding_category=concept(ABNORMAL_STRUCTURE),
        finding_type=concept(lesion.type),
        finding_sites=[sr.FindingSite(concept(lesion.region))] if lesion.region else None,
        algorithm_id=algorithm(result.model),
        measurements=[number(m) for m in measurements],
    )

