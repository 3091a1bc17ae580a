"""The page of a comparison: a row a model and region, differences with their sign and p."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from evaluated import QUICK, dataset

from inference.evaluation.comparison import ComparisonReport, ComparisonText, ModelRuns, compare_models
from inference.evaluation.comparison_page import ROW_COLUMNS, comparison_page, comparison_rows


@pytest.fixture(scope="module")
def made() -> ComparisonReport:
    text = ComparisonText(title="Peers & <more>", created="2026-01-15", trained_on_phantoms=True)
    models = [ModelRuns("unet", [dataset()], 1_900_000, 0.21), ModelRuns("hybrid", [dataset(offset=0.1)] * 2),
              ModelRuns("segnet", [dataset(offset=-0.1)])]
    return compare_models(text, models, settings=QUICK)


@pytest.fixture(scope="module")
def root(made: ComparisonReport) -> ET.Element:
    return ET.fromstring(comparison_page(made).replace("<!DOCTYPE html>\n", "", 1))


def rows(root: ET.Element, caption: str) -> list[list[str]]:
    table = next(t for t in root.iter("table") if t.find("caption/strong").text == caption)
    return [[" ".join(" ".join(cell.itertext()).split()) for cell in row] for row in table.iter("tr")]


def test_models_stand_with_their_size_and_speed(root):
    assert rows(root, "What was compared.")[1:] == [
        ["unet", "1,900,000", "0.21", "1", "6", "1"], ["hybrid", "n/a", "n/a", "2", "6", "2"],
        ["segnet", "n/a", "n/a", "1", "6", "1"]]


def test_differences_bear_their_sign_interval_and_both_p(root, made):
    table = {(row[0], row[1]): row for row in rows(root, "Tumour.")}
    assert table["unet", "Dice"][3] == "first"
    assert table["hybrid", "Dice"][3].startswith("+10.0 +10.0 to +10.0")
    assert table["segnet", "Dice"][3].startswith("−10.0")
    difference = made.row("hybrid", "tumour", "dice").difference
    assert table["hybrid", "Dice"][4:] == ["6", f"{difference.p:.3f}", f"{difference.p_holm:.3f}"]


def test_it_opens_offline_and_says_what_is_synthetic(made, root):
    text = comparison_page(made)
    assert not re.search(r"https?:|[\"'(]//", text)
    assert "trained and evaluated on phantoms" in text
    assert [svg.find("title").text for svg in root.iter("svg")] == ["Dice by region", "HD95 by region"]
    assert "hybrid 75.0" in next(root.iter("svg")).find("desc").text
    assert "the mean over them" in text


def test_the_rows_of_the_table_have_every_column(made):
    told = comparison_rows(made)
    assert all(set(row) == set(ROW_COLUMNS) for row in told)
    assert told[0]["difference"] is None
    assert told[1]["difference"] is not None
