"""A result beside its prior: what of its lesions grew, came and went, on three dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from inference.codes import LIVER, NEOPLASM
from inference.findings import Result
from inference.trend import Outcome, Seen, Since, Size, TargetSum, TimePoint, Trend
from inference.uids import tracking_uid

GROWN_UID, GONE_UID = "2.25.771", "2.25.772"
NEW_UID = tracking_uid("job", "3")
WAS, IS, NEW, LEFT = Size(2.0, 11.0, 8.0), Size(2.5, 12.5, 9.0), Size(3.75, 13.5, 9.5), Size(0.4, 8.5, 6.0)
RECIST = TargetSum("RECIST 1.1", "mm", 2, 30.5, 35.0, 28.0, -4.5 / 35.0, 2.5 / 28.0, "stable disease")
TREND = Trend(
    prior_study_uid="2.25.5",
    prior_taken=date(2025, 7, 7),
    taken=date(2025, 11, 4),
    lesions=(
        Since(Outcome.MATCHED, GROWN_UID, "Liver tumour 1", NEOPLASM, LIVER, WAS, IS, 372.8),
        Since(Outcome.NEW, NEW_UID, "Liver tumour 2", NEOPLASM, LIVER, after=NEW),
        Since(Outcome.VANISHED, GONE_UID, "Liver tumour 7", NEOPLASM, LIVER, LEFT),
    ),
    sums=(RECIST,),
    points=(
        TimePoint(date(2025, 1, 7), {GROWN_UID: Seen(Size(1.5, 10.0, 7.5)), GONE_UID: Seen(Size(0.5, 9.0, 6.0))}),
        TimePoint(date(2025, 7, 7), {GROWN_UID: Seen(WAS), GONE_UID: Seen(LEFT)}),
        TimePoint(date(2025, 11, 4), {GROWN_UID: Seen(IS), NEW_UID: Seen(NEW)}, frozenset({NEW_UID}),
                  frozenset({GONE_UID})),
    ),
    registration="rigid",
    agreement={"similarity": 0.91, "residual_mm": 1.23},
)


def beside_prior(result: Result) -> Result:
    """The job's result with this trend: an organ, a lesion that the prior knows, and one that it does not."""
    organ, grown, new = result.findings
    return replace(result, findings=(organ, replace(grown, tracking_uid=GROWN_UID), new), trend=TREND)
