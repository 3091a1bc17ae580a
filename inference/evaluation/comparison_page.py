"""A comparison of models as one page and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from inference.evaluation.charts import Bars, Words, bar_chart, linear
from inference.evaluation.comparison import ComparedRow, ComparisonReport
from inference.evaluation.intervals import Interval
from inference.evaluation.page import banner, figure, figures, interval, number, page, spread, table
from inference.evaluation.report_charts import percent
from inference.evaluation.results import METRIC

ROW_COLUMNS = ("model", "region", "metric", "mean", "low", "high", "n", "infinite", "difference", "difference_low",
               "difference_high", "paired", "unpaired", "p", "p_holm")


def comparison_rows(report: ComparisonReport) -> list[dict[str, object]]:
    """The rows of the table as plain values under `ROW_COLUMNS`; the first model has no difference."""
    rows = []
    for row in report.rows:
        told: dict[str, object] = {"model": row.model, "region": row.region, "metric": row.metric,
                                   **row.mean.model_dump()}
        change = row.difference
        told |= dict.fromkeys(ROW_COLUMNS[8:]) if change is None else {
            "difference": change.mean, "difference_low": change.low, "difference_high": change.high,
            "paired": change.n, "unpaired": change.unpaired, "p": change.p, "p_holm": change.p_holm}
        rows.append(told)
    return rows


def comparison_page(report: ComparisonReport) -> str:
    """The page as HTML."""
    models = len(report.models)
    told = f"{models} models on {report.dataset}. {report.created}. Differences are to {report.models[0].name}."
    warning = banner(trained=report.trained_on_phantoms, evaluated=report.evaluated_on_phantoms)
    sections = [
        ("Models", _models(report)),
        ("At a glance", figures([_chart(report, metric) for metric in report.metrics])),
        *((_capital(region), _region(report, region)) for region in report.regions),
        ("How it was compared", _method(report)),
    ]
    return page(report.title, f'{warning}<p class="soft">{escape(told)}</p>', sections)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _models(report: ComparisonReport) -> str:
    rows = [[escape(m.name), "n/a" if m.parameters is None else f"{m.parameters:,}",
             "n/a" if m.seconds_per_step is None else f"{m.seconds_per_step:.3g}", str(m.seeds), str(m.cases),
             str(m.failures)] for m in report.models]
    return table("<strong>What was compared.</strong> Failed cases are counted over all seeds and are in no mean.",
                 ("Model", "Parameters", "Seconds a step", "Seeds", "Cases", "Failed"), rows)


def _region(report: ComparisonReport, region: str) -> str:
    """A row a model and metric: the mean, the paired difference, and how likely that is luck."""
    rows = [[escape(row.model), METRIC[row.metric].title, interval(row.mean, row.metric), *_difference(row)]
            for row in report.rows if row.region == region]
    columns = ("Model", "Metric", "Mean", "Difference to the first", "Cases paired", "p", "p (Holm)")
    caption = f"<strong>{escape(_capital(region))}.</strong> Shares in percent, distances in mm."
    return table(caption, columns, rows, words=(1,), compact=True)


def _difference(row: ComparedRow) -> list[str]:
    change = row.difference
    if change is None:
        return ["first", "", "", ""]
    told = number(change.mean, row.metric, signed=True) + spread(change.low, change.high, row.metric, signed=True)
    paired = f"{change.n}" + (f" of {change.n + change.unpaired}" if change.unpaired else "")
    return [told, paired, _p(change.p), _p(change.p_holm)]


def _p(value: float | None) -> str:
    if value is None:
        return "n/a"
    return "&lt; 0.001" if value < 0.001 else f"{value:.3f}"


def _chart(report: ComparisonReport, metric: str) -> str:
    """Bars a region, one a model."""
    share = METRIC[metric].unit == "%"
    measured = {row.region for row in report.rows if row.metric == metric}
    regions = [region for region in report.regions if region in measured]

    def value(model: str, region: str) -> Interval | None:
        mean = report.row(model, region, metric).mean
        return percent(mean) if share else mean

    series = [Bars(model.name, tuple(value(model.name, region) for region in regions)) for model in report.models]
    most = max((v.high or v.mean or 0.0 for bars in series for v in bars.values if v is not None), default=0.0)
    axis = linear("%", 0, 100) if share else linear("mm", 0, max(most * 1.08, 1.0))
    title = f"{METRIC[metric].title} by region"
    words = Words(f"figure-{metric.replace('_', '-')}", title, _said(report, regions, metric))
    better = "More" if METRIC[metric].more_is_better else "Less"
    return figure(bar_chart(words, regions, series, axis), f"<strong>{title}.</strong> {better} is better.")


def _said(report: ComparisonReport, regions: Sequence[str], metric: str) -> str:
    """Every bar in words."""
    return " ".join(
        f"{region}: " + ", ".join(f"{m.name} {number(report.row(m.name, region, metric).mean.mean, metric)}"
                                  for m in report.models) + "." for region in regions)


def _method(report: ComparisonReport) -> str:
    drawn, penalty = report.settings.resampling, report.settings.penalty_mm
    tests = sum(row.difference is not None for row in report.rows)
    lost = "left out" if penalty is None else f"taken as {penalty:g} mm"
    terms = {
        "Differences": "Model less first model, case by case, over the cases that both have a finite value of; an "
                       f"infinite distance is {lost}.",
        "Intervals": f"{drawn.confidence * 100:g}%, {drawn.method}, {drawn.resamples} resamples of cases, "
                     f"seed {drawn.seed}.",
        "p": f"Wilcoxon's signed-rank test, two-sided; beside it after Holm's correction for all {tests} differences.",
    }
    if any(model.seeds > 1 for model in report.models):
        terms["Seeds"] = ("Where a model was trained with several seeds, its value for a case is the mean over them: "
                          "cases are resampled, trainings are not.")
    return "<dl>" + "".join(f"<dt>{escape(t)}</dt><dd>{escape(d)}</dd>" for t, d in terms.items()) + "</dl>"
