"""An evaluation's files: a CSV with one row a case and region, a JSON with everything, a page to look at."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from inference.errors import Unscorable
from inference.evaluation.comparison import ComparisonReport
from inference.evaluation.comparison_page import ROW_COLUMNS, comparison_page, comparison_rows
from inference.evaluation.record import Record
from inference.evaluation.report import EvaluationReport
from inference.evaluation.report_page import report_page
from inference.evaluation.results import DatasetResult, RegionScore

Kept = TypeVar("Kept", bound=Record)


class ScoreRow(Record):
    """A row of the CSV: a `RegionScore` of a data set, with its lesions as counts; empty where not measured."""

    dataset: str
    case: str
    region: str
    dice: float
    iou: float
    precision: float
    recall: float
    f1: float
    hausdorff_mm: float
    hd95_mm: float
    assd_mm: float
    surface_dice: float
    tolerance_mm: float
    volume_error: float
    truth_ml: float
    found_ml: float
    lesion_dice: float | None = None
    lesion_hd95_mm: float | None = None
    lesions_true: int | None = None
    lesions_hit: int | None = None
    lesions_found: int | None = None
    lesions_false: int | None = None
    lesions_left_out: int | None = None


def score_row(dataset: str, score: RegionScore) -> ScoreRow:
    """The row of one case and region."""
    row = ScoreRow(dataset=dataset, **score.model_dump(exclude={"lesions"}))
    lesions = score.lesions
    return row if lesions is None else row.model_copy(update={
        "lesions_true": len(lesions.lesions), "lesions_hit": lesions.hits, "lesions_found": lesions.found,
        "lesions_false": lesions.false, "lesions_left_out": lesions.left_out,
    })


def scores_csv(datasets: Iterable[DatasetResult]) -> str:
    """Every score of all data sets as CSV; shares are 0..1, an infinite distance is "inf"."""
    rows = (score_row(dataset.name, score).model_dump() for dataset in datasets for score in dataset.scores)
    return csv_text(list(ScoreRow.model_fields), rows)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """A table as CSV; None is an empty cell."""
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def read_scores(path: Path) -> list[ScoreRow]:
    """The rows of a CSV of scores; Unscorable names the line that is none."""
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                rows.append(ScoreRow.model_validate({name: value for name, value in row.items() if value != ""}))
            except ValidationError as error:
                where = ".".join(map(str, error.errors()[0]["loc"]))
                raise Unscorable(f"{path.name}, line {number}: {where} is not what `scores_csv` writes") from None
    return rows


def write_report(report: EvaluationReport, folder: Path) -> tuple[Path, Path, Path]:
    """Write scores.csv, report.json and report.html into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    table, data, page = (folder / name for name in ("scores.csv", "report.json", "report.html"))
    text = scores_csv(report.datasets)
    table.write_text(text, encoding="utf-8")
    data.write_text(report.model_dump_json(indent=1), encoding="utf-8")
    page.write_text(report_page(report, text), encoding="utf-8")
    return table, data, page


def read_report(path: Path) -> EvaluationReport:
    """The report of a report.json; Unscorable where it is none."""
    return _read(path, EvaluationReport)


def write_comparison(report: ComparisonReport, folder: Path) -> tuple[Path, Path, Path]:
    """Write comparison.csv, comparison.json and comparison.html into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    table, data, page = (folder / f"comparison.{kind}" for kind in ("csv", "json", "html"))
    table.write_text(csv_text(ROW_COLUMNS, comparison_rows(report)), encoding="utf-8")
    data.write_text(report.model_dump_json(indent=1), encoding="utf-8")
    page.write_text(comparison_page(report), encoding="utf-8")
    return table, data, page


def read_comparison(path: Path) -> ComparisonReport:
    """The comparison of a comparison.json; Unscorable where it is none."""
    return _read(path, ComparisonReport)


def _read(path: Path, kind: type[Kept]) -> Kept:
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Unscorable(f"{path.name} is no {kind.__name__}: {where}: {first['msg']}") from None
