"""How the figures of a report were measured, in words that a reader needs to compare them with others."""

from __future__ import annotations

from html import escape

from inference.evaluation.report import EvaluationReport

_EMPTY = (
    "Where neither truth nor answer has the region, shares are 100% and distances 0 mm. Where only one has it, shares "
    "are 0%, the distance is infinite, and so is the volume error without a truth."
)
_DISTANCES = (
    "Between the centres of surface voxels in mm: the greatest, the greater 95th percentile of both directions, the "
    "average over both surfaces. Each surface voxel counts once, however thick the slices are."
)
_LESIONS = (
    "As in BraTS 2023: each true lesion against all that was found on it; lesions that touch once grown by the rule of "
    "the region are one. Each missed and each false lesion counts as Dice 0 and as the penalty distance. What was "
    "found on findings that a data set lists as irrelevant (LUNA16) is in no figure."
)
_DETECTION = (
    "The rules of LUNA16: a hit lies nearer to the centre of a nodule than its radius; a nodule counts once, with its "
    "highest score; candidates on findings that the readers did not agree on count neither way."
)
_INTERVALS = "They tell how sure a mean is on cases like these, not how the model fares elsewhere."


def level(report: EvaluationReport) -> str:
    """The confidence of the intervals, as text."""
    return f"{report.settings.resampling.confidence * 100:g}%"


def method(report: EvaluationReport) -> str:
    """Terms and what they mean here, as a list in HTML."""
    drawn, penalty = report.settings.resampling, report.settings.penalty_mm
    lost = ("Infinite values are counted and left out of the mean." if penalty is None else
            f"An infinite distance counts as {penalty:g} mm; an infinite volume error is left out of the mean.")
    terms = {"Intervals": f"{level(report)}, {drawn.method}, {drawn.resamples} resamples of cases, seed {drawn.seed}. "
                          f"{_INTERVALS}"}
    if report.summaries:
        tolerances = sorted({(summary.region, summary.tolerance_mm) for summary in report.summaries})
        terms |= {
            "Empty masks": f"{_EMPTY} {lost}",
            "Hausdorff distance, HD95, ASSD": _DISTANCES,
            "Surface Dice": "The share of both surfaces within a tolerance: "
                            + ", ".join(f"{region} {mm:g} mm" for region, mm in tolerances) + ".",
        }
    pooled = [f"{dataset.name} ({dataset.folds} folds)" for dataset in report.datasets if dataset.folds > 1]
    if pooled:
        terms["Cross-validation"] = f"Each case was judged by the model that had not seen it: {', '.join(pooled)}."
    if any(summary.lesions for summary in report.summaries):
        terms["Lesion-wise figures"] = _LESIONS
    if report.detections:
        terms["Detection"] = _DETECTION
    listed = "".join(f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>" for term, meaning in terms.items())
    return f"<dl>{listed}</dl>"
