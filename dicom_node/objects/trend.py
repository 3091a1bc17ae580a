"""What became of each lesion since the prior, as groups of the summary (PS3.16 TID 1501).

One group a lesion, under the tracking UID that its segment has or had, and one a criterion's sum over its targets.
A number without derivation is this study's own; all others have one, from `dicom_node.objects.codes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date

from highdicom import sr

from dicom_node.objects import codes, wording
from dicom_node.objects.codes import concept
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.report import Group, algorithm, comment, number
from dicom_node.objects.sought import sought
from dicom_node.objects.sr import site_of
from dicom_node.objects.trend_wording import change_of
from inference.codes import (
    ABNORMAL_STRUCTURE,
    DAY,
    LESIONS,
    LONG_AXIS,
    MILLILITRE,
    MILLIMETRE,
    NUMBER_OF_LESIONS,
    PERCENT,
    SQUARE_MILLIMETRE,
    VOLUME,
    VOXEL_SUM,
    Code,
)
from inference.findings import Measurement, Result
from inference.followup.growth import Change
from inference.trend import Since, TargetSum, Trend

_CRITERIA = {code.meaning: code for code in (codes.RECIST_1_1, codes.RANO)}
_SUMS = {"mm": (codes.SUM_OF_LONG_AXES, MILLIMETRE), "mm2": (codes.SUM_OF_PRODUCTS, SQUARE_MILLIMETRE)}


def trend_groups(result: Result, context: EncodeContext) -> list[Group]:
    """The lesions', then the sums'; none without a prior."""
    trend = result.trend
    if trend is None:
        return []
    return [*(_lesion(since, trend, result, context) for since in trend.lesions),
            *(_sum(total, trend, result, context) for total in trend.sums)]


def since_prior(since: Since, trend: Trend) -> Iterator[Measurement]:
    """A lesion's volume (mL) and long axis (mm) now, in the prior, and their change; its doubling time (days)."""
    change = change_of(since, trend)
    for quantity, unit, method, name in ((VOLUME, MILLILITRE, VOXEL_SUM, "volume_ml"),
                                         (LONG_AXIS, MILLIMETRE, None, "long_mm")):
        if since.after is not None:
            yield Measurement(quantity, getattr(since.after, name), unit, None, method)
        if since.before is not None:
            yield Measurement(quantity, getattr(since.before, name), unit, codes.IN_PRIOR, method)
        if change is not None:
            yield from _change(change.volume if quantity == VOLUME else change.long, quantity, unit)
    if change is not None and since.doubling_days is not None:
        yield Measurement(codes.DOUBLING_TIME, since.doubling_days, DAY)


def of_targets(total: TargetSum) -> Iterator[Measurement]:
    """A sum in mm or mm2 where it is known, what it is compared with, and how many lesions it is about."""
    quantity, unit = _SUMS[total.unit]
    if total.value is not None:
        yield Measurement(quantity, total.value, unit)
    if total.targets:  # the sum over none is no baseline
        yield Measurement(quantity, total.baseline, unit, codes.BASELINE)
        yield Measurement(quantity, total.nadir, unit, codes.NADIR)
    for share, derivation in ((total.from_baseline, codes.FROM_BASELINE), (total.from_nadir, codes.FROM_NADIR)):
        if share is not None:
            yield Measurement(quantity, 100 * share, PERCENT, derivation)
    yield Measurement(NUMBER_OF_LESIONS, total.targets, LESIONS, codes.TARGET_LESIONS)
    yield Measurement(NUMBER_OF_LESIONS, total.new, LESIONS, codes.NEW_SINCE_BASELINE)


def _change(change: Change, quantity: Code, unit: Code) -> Iterator[Measurement]:
    yield Measurement(quantity, change.difference, unit, codes.CHANGE)
    if change.percent is not None:
        yield Measurement(quantity, change.percent, PERCENT, codes.RELATIVE_CHANGE)


def _lesion(since: Since, trend: Trend, result: Result, context: EncodeContext) -> Group:
    """Under its segment's UID where it is seen now, with the finding's side; else under the one that it had."""
    finding = {context.names.finding(finding): finding for finding in result.findings}.get(since.tracking_uid)
    organ = [sr.FindingSite(concept(since.organ))] if since.organ else None
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=since.tracking_uid, identifier=wording.plain(since.label)),
        time_point_context=_days(trend, trend.prior_taken, codes.PRIOR_STUDY),
        finding_category=concept(ABNORMAL_STRUCTURE),
        finding_type=concept(since.type),
        finding_sites=[site_of(finding)] if finding else organ,
        algorithm_id=algorithm(result.model),
        measurements=[number(m) for m in since_prior(since, trend) if math.isfinite(m.value)],
        qualitative_evaluations=[
            sr.QualitativeEvaluation(concept(codes.OUTCOME), concept(codes.OUTCOMES[since.outcome])),
        ],
    )
    comment(group, [since.reason] if since.reason else [])
    return group


def _sum(total: TargetSum, trend: Trend, result: Result, context: EncodeContext) -> Group:
    """Its band is coded where the code means just that: RECIST 1.1, judged by the target lesions alone."""
    lesion = sought(result)
    criterion = _CRITERIA.get(total.criterion)
    band = codes.TARGET_BANDS.get(total.category) if criterion == codes.RECIST_1_1 and not total.new else None
    name = f"{total.criterion}, sum of target lesions"
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=context.names.tracking(name), identifier=wording.plain(name)),
        time_point_context=_days(trend, trend.points[0].taken, codes.BASELINE_STUDY) if trend.points else None,
        finding_category=concept(ABNORMAL_STRUCTURE),
        finding_type=concept(lesion.type),
        method=concept(criterion) if criterion else None,
        finding_sites=[sr.FindingSite(concept(lesion.region))] if lesion.region else None,
        algorithm_id=algorithm(result.model),
        measurements=[number(m) for m in of_targets(total) if math.isfinite(m.value)],
        qualitative_evaluations=[sr.QualitativeEvaluation(concept(codes.BAND), concept(band))] if band else None,
    )
    if total.category and not band:
        comment(group, [total.category], codes.BAND)
    comment(group, [total.reason] if total.reason else [])
    return group


def _days(trend: Trend, since: date, event: Code) -> sr.TimePointContext:
    """This study's date, and the days since an event (TID 1502)."""
    return sr.TimePointContext(
        time_point=trend.taken.isoformat(),
        temporal_offset_from_event=sr.LongitudinalTemporalOffsetFromEvent(
            (trend.taken - since).days, concept(DAY), concept(event)),
    )
