"""The trend as tables of the printed page: lesions by date, then the criteria's sums.

Bounded, for the page is one: the newest dates win, and what is left out is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dicom_node.objects.identity import JobNames
from dicom_node.objects.page import Row, Table
from dicom_node.objects.trend_wording import change_of, share_in_words
from inference.findings import Result
from inference.followup.growth import Change
from inference.trend import Outcome, Since, Size, TargetSum, TimePoint, Trend

MAX_DATES = 4
MAX_LESIONS = 8
_COME = {Outcome.NEW: "new", Outcome.RETURNED: "found again"}
_GONE = (150, 150, 150)  # a lesion that no segment shows
_WIDTH, _DATE, _CHANGE, _DOUBLING = 182.0, 25.0, 30.0, 20.0  # mm
_SUMS = (("Sum of targets", 52.0), ("Baseline", 22.0), ("Nadir", 22.0), ("This study", 22.0),
         ("From baseline", 24.0), ("From nadir", 22.0), ("New", 18.0))
_SUMMED = {"mm": "long axes, mm", "mm2": "products of axes, mm²"}


def trend_tables(result: Result, names: JobNames) -> list[Table]:
    """None where there is no prior, or where it was not compared: numbers side by side would be a comparison."""
    trend = result.trend
    if trend is None or trend.refusal:
        return []
    colours = {names.finding(finding): finding.structure.rgb for finding in result.findings}
    shown = trend.points[-MAX_DATES:]
    rows = [Row(colours.get(since.tracking_uid, _GONE), (since.label, *_cells(since, shown, trend)))
            for since in trend.lesions[:MAX_LESIONS]]
    label = _WIDTH - len(shown) * _DATE - _CHANGE - _DOUBLING
    columns = [("mL; long axis, mm", label), *((point.taken.isoformat(), _DATE) for point in shown),
               ("Since prior", _CHANGE), ("Doubles in", _DOUBLING)]
    tables = [Table(columns, rows, _left_out(trend)),
              Table(_SUMS, [Row(None, tuple(_sum(total))) for total in trend.sums])]
    return [table for table in tables if table.rows]


def _left_out(trend: Trend) -> str:
    parts = [f"{count} {what}" if count == 1 else f"{count} {what}s"
             for count, what in ((len(trend.lesions) - MAX_LESIONS, "more lesion"),
                                 (len(trend.points) - MAX_DATES, "earlier date")) if count > 0]
    return f"and {' and '.join(parts)}, not shown here" if parts else ""


def _cells(since: Since, points: Sequence[TimePoint], trend: Trend) -> Iterator[str]:
    """The lesion at each date, its change since the prior, and the days in which it doubles."""
    for point in points:
        seen = point.seen.get(since.tracking_uid)
        if seen is None:
            yield "gone" if since.tracking_uid in point.vanished else "-"
        else:
            yield _size(seen.size)
    change = change_of(since, trend)
    if change is None:
        yield _COME.get(since.outcome, "-")
        yield "-"
        return
    yield f"{_percent(change.volume)}; {_percent(change.long)}"
    yield "-" if since.doubling_days is None else f"{since.doubling_days:.0f} d"


def _size(size: Size) -> str:
    """Volume and long axis; more than that where it is cut off."""
    return f"{'' if size.whole else '> '}{size.volume_ml:.2f}; {size.long_mm:.1f}"


def _percent(change: Change) -> str:
    return "-" if change.percent is None else f"{change.percent:+.0f} %"


def _sum(total: TargetSum) -> Iterator[str]:
    yield f"{total.criterion}, {_SUMMED[total.unit]}"
    for value in (total.baseline if total.targets else None, total.nadir if total.targets else None, total.value):
        yield "-" if value is None else f"{value:.1f}"
    for share in (total.from_baseline, total.from_nadir):
        yield "-" if share is None else share_in_words(share)
    yield str(total.new)
