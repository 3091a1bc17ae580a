"""The report of an evaluation as one page: the paper's Table 6 first, then all that stands behind it."""

from __future__ import annotations

import base64
from html import escape

from inference.evaluation.method import level, method
from inference.evaluation.page import banner, figures, interval, number, page, table
from inference.evaluation.report import EvaluationReport, LesionSummary, RegionSummary
from inference.evaluation.report_charts import froc_figure, overlay_figure, paper_figures, reliability_figure
from inference.evaluation.results import METRIC, METRICS

_TABLE_6 = ("dice", "iou", "precision", "recall", "hausdorff_mm")
_LEGEND = ('<p class="soft"><span class="key"></span> true outline (solid blue) &#160; '
           '<span class="key dashed"></span> found outline (dashed amber)</p>')


def report_page(report: EvaluationReport, scores_csv: str) -> str:
    """The page as HTML; `scores_csv` is the table of every case, which the page carries with it."""
    sections = [
        ("Performance", _table_6(report) + figures(list(paper_figures(report)))),
        ("By region", _by_region(report)),
        ("Lesion by lesion", _lesions(report)),
        ("Detection", _detection(report)),
        ("Calibration", _calibration(report)),
        ("Best, median and worst case", _cases(report)),
        ("Cases that failed", _failures(report)),
        ("How it was measured", method(report)),
    ]
    return page(report.title, _introduction(report, scores_csv), sections)


def _introduction(report: EvaluationReport, scores_csv: str) -> str:
    judged = sum(len(dataset.cases) for dataset in report.datasets)
    failed = sum(len(dataset.failures) for dataset in report.datasets)
    told = f"Model {report.model}. {report.created}. {judged} cases judged"
    told += f", {failed} failed." if failed else ", none failed."
    told += "".join(f" {froc.scans} scans searched ({froc.name})." for froc in report.detections)
    data = base64.b64encode(scores_csv.encode()).decode("ascii")
    link = (f'<p><a download="scores.csv" href="data:text/csv;base64,{data}">Every case as a table (CSV)</a></p>'
            if judged else "")
    warning = banner(trained=report.trained_on_phantoms, evaluated=report.evaluated_on_phantoms)
    return f'{warning}<p class="soft">{escape(told)}</p>{link}'


def _table_6(report: EvaluationReport) -> str:
    rows = [[escape(s.dataset), escape(s.region), str(s.cases), *(interval(s.metrics[name], name) for name in _TABLE_6)]
            for s in report.headlines()]
    if not rows:
        return ""
    columns = ("Dataset", "Region", "n", *(f"{METRIC[name].title} ({METRIC[name].unit})" for name in _TABLE_6))
    return table(f"<strong>Performance by data set.</strong> Means over n cases, with {level(report)} intervals.",
                 columns, rows, words=(1,))


def _by_region(report: EvaluationReport) -> str:
    """For each data set every metric, a column a region."""
    tables = []
    for dataset in report.datasets:
        shown = [summary for summary in report.summaries if summary.dataset == dataset.name]
        if not shown:
            continue
        rows = [["Cases (without the region)", *(f"{summary.cases} ({summary.without})" for summary in shown)]]
        rows += [[f"{metric.title} ({metric.unit})",
                  *(interval(summary.metrics.get(metric.name), metric.name) for summary in shown)]
                 for metric in METRICS if any(metric.name in summary.metrics for summary in shown)]
        caption = f"<strong>{escape(dataset.name)}.</strong> The volume error is without its sign."
        tables.append(table(caption, ("Metric", *(summary.region for summary in shown)), rows, compact=True))
    return "".join(tables)


def _lesions(report: EvaluationReport) -> str:
    """Detection of lesions, then their bands of diameter."""
    shown = [(s, s.lesions) for s in report.summaries if s.lesions is not None]
    if not shown:
        return ""
    columns = ("Dataset", "Region", "True lesions", "Hit", "False", "Sensitivity (%)", "Precision (%)",
               "False a case", "Too small")
    first = table(f"<strong>Lesions found and missed.</strong> With {level(report)} intervals over cases.", columns,
                  [_lesion_row(summary, lesions) for summary, lesions in shown], words=(1,))
    rows = [[escape(summary.dataset), escape(summary.region), escape(band.band), str(band.lesions), str(band.hits),
             number(band.hits / band.lesions, "recall"), number(band.dice, "dice")]
            for summary, lesions in shown for band in lesions.bands]
    if not rows:
        return first
    return first + table("<strong>By longest diameter of the true lesion.</strong> A missed lesion has a Dice of 0.",
                         ("Dataset", "Region", "Diameter", "Lesions", "Hit", "Sensitivity (%)", "Mean Dice (%)"), rows,
                         words=(1, 2))


def _lesion_row(summary: RegionSummary, lesions: LesionSummary) -> list[str]:
    rate = lesions.false_per_case
    false = "n/a" if rate.mean is None else f"{rate.mean:.2f}"
    if rate.low is not None and rate.high is not None:
        false += f'<span class="range">{rate.low:.2f} to {rate.high:.2f}</span>'
    return [escape(summary.dataset), escape(summary.region), str(lesions.lesions), str(lesions.hits),
            str(lesions.false), interval(lesions.sensitivity, "recall"), interval(lesions.precision, "precision"),
            false, str(lesions.left_out)]


def _detection(report: EvaluationReport) -> str:
    if not report.detections:
        return ""
    names = [f"{rate:g}" if rate >= 1 else f"1/{1 / rate:g}" for rate in report.detections[0].rates]
    rows = [[escape(froc.name), f"{froc.scans}, {froc.nodules}", *(interval(point, "recall") for point in froc.at),
             interval(froc.cpm, "recall")] for froc in report.detections]
    rates = table(f"<strong>Sensitivity (%) by false positives a scan.</strong> With {level(report)} intervals over "
                  "scans; CPM is the mean of the seven.", ("Detector", "Scans, nodules", *names, "CPM"), rows)
    bands = [[escape(froc.name), escape(band.band), str(band.nodules),
              *(number(hits / band.nodules, "recall") for hits in (band.hit_at_rate, band.hit))]
             for froc in report.detections for band in froc.bands]
    sizes = table("<strong>Nodules by diameter.</strong> Share that was found with one false positive a scan, and with "
                  "any candidate.", ("Detector", "Diameter", "Nodules", "At 1 a scan (%)", "At all (%)"), bands,
                  words=(1,))
    return rates + figures([froc_figure(report.detections)]) + sizes


def _calibration(report: EvaluationReport) -> str:
    shown = [dataset for dataset in report.datasets if dataset.calibration]
    if not shown:
        return ""
    rows = [[escape(dataset.name), escape(r.region), f"{r.voxels:,}", f"{r.ece:.4f}", f"{r.brier:.4f}"]
            for dataset in shown for r in dataset.calibration]
    charts = [reliability_figure(f"figure-reliability-{n}", dataset, dataset.calibration)
              for n, dataset in enumerate(shown)]
    return table("<strong>Calibration of the probabilities, voxel by voxel.</strong> Less is better.",
                 ("Dataset", "Region", "Voxels", "Expected calibration error", "Brier score"), rows, words=(1,)
                 ) + figures(charts)


def _cases(report: EvaluationReport) -> str:
    parts = [f"<h3>{escape(dataset.name)}</h3>"
             + figures([overlay_figure(dataset, overlay) for overlay in dataset.overlays], "pictures")
             for dataset in report.datasets if dataset.overlays]
    return _LEGEND + "".join(parts) if parts else ""


def _failures(report: EvaluationReport) -> str:
    rows = [[escape(failure.case), escape(dataset.name), escape(failure.reason)]
            for dataset in report.datasets for failure in dataset.failures]
    if not rows:
        return ""
    return table(f"<strong>{len(rows)} cases without an answer.</strong> They are in no mean.",
                 ("Case", "Dataset", "Reason"), rows, words=(1, 2))
