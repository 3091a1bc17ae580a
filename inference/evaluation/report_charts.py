"""The figures of a report: those of the paper (Figures 4 to 7), the FROC curve, reliability, pictures of cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from inference.evaluation.calibration import Reliability
from inference.evaluation.charts import (
    Axis,
    Bars,
    Dot,
    Line,
    Words,
    bar_chart,
    dot_chart,
    doubling,
    line_chart,
    linear,
)
from inference.evaluation.detection import Froc
from inference.evaluation.intervals import Interval
from inference.evaluation.page import figure, number
from inference.evaluation.report import EvaluationReport, RegionSummary
from inference.evaluation.results import METRIC, DatasetResult, LossPoint, Overlay

_PERCENT = linear("%", 0, 100)


def paper_figures(report: EvaluationReport) -> Iterator[str]:
    """Figures 4 to 7, of the region that stands for each data set; each only where there is what it shows."""
    shown = report.headlines()
    if shown:
        yield _overlap(shown)
    if len(report.losses) > 1:
        yield _losses(report.losses)
    if shown:
        yield _precision_recall(report, shown)
        yield _distances(shown)


def percent(value: Interval | None) -> Interval | None:
    """The same in percent."""
    if value is None or value.mean is None:
        return None
    return value.model_copy(update={"mean": value.mean * 100, "low": None if value.low is None else value.low * 100,
                                    "high": None if value.high is None else value.high * 100})


def _captioned(words: Words, chart: str, more: str = "") -> str:
    return figure(chart, f"<strong>{escape(words.title)}.</strong> {escape(more or words.says)}")


def _names(shown: Sequence[RegionSummary]) -> list[str]:
    return [summary.dataset for summary in shown]


def _said(shown: Sequence[RegionSummary], metrics: Sequence[str]) -> str:
    """Every value of a chart in words."""
    sentences = []
    for summary in shown:
        values = []
        for name in metrics:
            unit = "%" if METRIC[name].unit == "%" else " mm"
            values.append(f"{METRIC[name].title} {number(summary.metrics[name].mean, name)}{unit}")
        sentences.append(f"{summary.dataset}, {summary.region}: {', '.join(values)}.")
    return " ".join(sentences)


def _overlap(shown: Sequence[RegionSummary]) -> str:
    metrics = ("dice", "iou")
    words = Words("figure-4", "Performance across data sets", _said(shown, metrics))
    bars = [Bars(METRIC[name].title, tuple(percent(s.metrics[name]) for s in shown)) for name in metrics]
    return _captioned(words, bar_chart(words, _names(shown), bars, _PERCENT), "Means over cases with their intervals.")


def _distances(shown: Sequence[RegionSummary]) -> str:
    metrics = ("hausdorff_mm", "hd95_mm")
    words = Words("figure-7", "Hausdorff distance across data sets", _said(shown, metrics))
    bars = [Bars(METRIC[name].title, tuple(s.metrics[name] for s in shown)) for name in metrics]
    most = max((v.high or v.mean or 0.0 for b in bars for v in b.values if v is not None), default=0.0)
    chart = bar_chart(words, _names(shown), bars, linear("mm", 0, max(most * 1.08, 1.0)))
    lost = sum(summary.metrics["hausdorff_mm"].infinite for summary in shown)
    left_out = f" {lost} cases without a finite distance are left out." if lost else ""
    return _captioned(words, chart, f"Mean of the greatest distance and of its 95th percentile.{left_out}")


def _losses(losses: Sequence[LossPoint]) -> str:
    lines = [Line("Training", tuple((p.epoch, p.training) for p in losses))]
    judged = tuple((float(p.epoch), p.validation) for p in losses if p.validation is not None)
    says = f"The training loss goes from {losses[0].training:.3g} to {losses[-1].training:.3g}"
    if judged:
        lines.append(Line("Validation", judged))
        says += f", the validation loss from {judged[0][1]:.3g} to {judged[-1][1]:.3g}"
    values = [y for line in lines for _, y in line.points]
    words = Words("figure-5", "Training and validation loss over epochs", says + ".")
    first, last = min(p.epoch for p in losses), max(p.epoch for p in losses)
    y = linear("loss", min(0.0, *values), max(values))
    return _captioned(words, line_chart(words, lines, linear("epoch", first, last), y))


def _precision_recall(report: EvaluationReport, shown: Sequence[RegionSummary]) -> str:
    dots, lowest = [], 100.0
    for summary in shown:
        x, y = percent(summary.metrics["recall"]), percent(summary.metrics["precision"])
        scores = next(d for d in report.datasets if d.name == summary.dataset).of(summary.region)
        cases = tuple((score.recall * 100, score.precision * 100) for score in scores)
        if x is not None and y is not None:
            dots.append(Dot(summary.dataset, x, y, cases))
        lowest = min(lowest, *(value for case in cases for value in case))
    words = Words("figure-6", "Precision and recall", _said(shown, ("precision", "recall")))
    low = min(lowest, 90.0)
    chart = dot_chart(words, dots, linear("recall (%)", low, 100), linear("precision (%)", low, 100))
    return _captioned(words, chart, "Each mean with its intervals, over the cases that it is the mean of.")


def froc_figure(detections: Sequence[Froc]) -> str:
    """Sensitivity over false positives a scan, from 1/8 to 8."""
    x = doubling("false positives a scan", range(-3, 4))
    lines = [Line(froc.name, _visible(froc, x)) for froc in detections]
    said = [f"{froc.name}: mean sensitivity {number(froc.cpm.mean, 'recall')}% at the seven rates, "
            f"{number(froc.at[0].mean, 'recall')}% at 1/8 and {number(froc.at[-1].mean, 'recall')}% at 8."
            for froc in detections]
    words = Words("figure-froc", "Free-response ROC", " ".join(said))
    return _captioned(words, line_chart(words, lines, x, linear("sensitivity (%)", 0, 100)))


def _visible(froc: Froc, x: Axis) -> tuple[tuple[float, float], ...]:
    """The part of the curve between both ends of the axis; from its last step on it stays as high."""
    inside = [(fps, 100 * sensitivity) for fps, sensitivity in froc.curve if x.low < fps < x.high]
    ends = ((froc.rates[0], 100 * (froc.at[0].mean or 0.0)), (froc.rates[-1], 100 * (froc.at[-1].mean or 0.0)))
    return (ends[0], *inside, ends[1])


def reliability_figure(key: str, dataset: DatasetResult, results: Sequence[Reliability]) -> str:
    """How often what was said came true, by region."""
    lines = [Line(r.region, tuple((b.mean_probability, b.share_true) for b in r.bins
                                  if b.mean_probability is not None and b.share_true is not None)) for r in results]
    says = " ".join(f"{r.region}: expected calibration error {r.ece:.3f}, Brier score {r.brier:.3f}." for r in results)
    words = Words(key, f"Reliability, {dataset.name}", says)
    x, y = linear("probability told", 0, 1), linear("share that is true", 0, 1)
    chart = line_chart(words, lines, x, y, diagonal=True)
    return _captioned(words, chart, "On the dotted line a probability is as good as its word.")


def overlay_figure(dataset: DatasetResult, overlay: Overlay) -> str:
    """A case with both outlines."""
    where = f"slice {overlay.slice_number} of {overlay.slices}"
    alt = (f"{overlay.rank} case {overlay.case} of {dataset.name}, {where}: outlines of the true and the found "
           f"{overlay.region}, Dice {overlay.dice * 100:.1f}%")
    image = f'<img src="data:image/png;base64,{overlay.png}" alt="{escape(alt)}" />'
    return figure(image, f"<strong>{escape(overlay.rank.capitalize())}: {escape(overlay.case)}.</strong> "
                         f"{escape(overlay.region)}, Dice {overlay.dice * 100:.1f}%, {where}")
