"""An evaluation's files, there and back."""

from __future__ import annotations

import csv
import json

import pytest
from evaluated import QUICK, dataset, report

from inference.errors import Unscorable
from inference.evaluation.comparison import ComparisonText, ModelRuns, compare_models
from inference.evaluation.files import (
    read_comparison,
    read_report,
    read_scores,
    score_row,
    write_comparison,
    write_report,
)


def test_a_report_comes_back_as_it_went_and_its_table_has_a_row_a_case_and_region(tmp_path):
    made = report()
    table, data, page = write_report(made, tmp_path / "new")
    assert read_report(data) == made
    assert read_scores(table) == [score_row(d.name, s) for d in made.datasets for s in d.scores]
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_the_json_is_plain_json(tmp_path):
    _, data, _ = write_report(report(), tmp_path)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    told = json.loads(data.read_text(), parse_constant=refuse)
    assert told["summaries"][0]["metrics"]["dice"]["n"] == 6


def test_the_table_can_be_read_by_anyone(tmp_path):
    table, _, _ = write_report(report(), tmp_path)
    rows = list(csv.DictReader(table.open(newline="")))
    by_key = {(row["dataset"], row["case"], row["region"]): row for row in rows}
    assert len(by_key) == len(rows) == 2 * 6 * 2 + 2
    assert by_key["phantom livers", "case-0", "organ"]["lesions_true"] == ""
    assert by_key["phantom livers", "case-0", "tumour"]["lesions_hit"] == "1"
    assert by_key["real livers", "none", "tumour"]["hausdorff_mm"] == "inf"


def test_a_comparison_comes_back_as_it_went(tmp_path):
    text = ComparisonText(title="t", created="2026-01-15", trained_on_phantoms=True)
    made = compare_models(text, [ModelRuns("a", [dataset()]), ModelRuns("b", [dataset(offset=0.1)])], settings=QUICK)
    table, data, page = write_comparison(made, tmp_path)
    assert read_comparison(data) == made
    rows = list(csv.DictReader(table.open(newline="")))
    assert len(rows) == len(made.rows)
    assert rows[0]["difference"] == ""
    assert float(rows[1]["p_holm"]) == made.rows[1].difference.p_holm
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_what_is_no_report_or_table_is_refused(tmp_path):
    path = tmp_path / "report.json"
    path.write_text('{"title": "t"}')
    with pytest.raises(Unscorable, match=r"report.json is no EvaluationReport: model"):
        read_report(path)
    path.write_text("{")
    with pytest.raises(Unscorable, match=r"report.json is no ComparisonReport"):
        read_comparison(path)
    table = tmp_path / "scores.csv"
    table.write_text("dataset,case,region,dice\nx,a,tumour,much\n")
    with pytest.raises(Unscorable, match=r"scores.csv, line 2: dice"):
        read_scores(table)
