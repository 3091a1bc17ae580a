"""The page of a report: whole, offline, told to eye and ear. Charts, overlays and method (inference.evaluation.charts,
inference.evaluation.report_charts, inference.evaluation.method, inference.evaluation.page) are seen in it.
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET

import pytest
from evaluated import QUICK, report

from inference.evaluation.files import scores_csv
from inference.evaluation.report import EvaluationReport, ReportSettings, ReportText, build_report
from inference.evaluation.report_page import report_page


def page(made: EvaluationReport | None = None) -> str:
    made = made or report()
    return report_page(made, scores_csv(made.datasets))


def tree(text: str) -> ET.Element:
    return ET.fromstring(text.replace("<!DOCTYPE html>\n", "", 1))


def words(element: ET.Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def tables(root: ET.Element) -> dict[str, list[list[str]]]:
    """Every table by the first words of its caption, as text."""
    return {words(table.find("caption/strong")): [[words(cell) for cell in row] for row in table.iter("tr")]
            for table in root.iter("table")}


@pytest.fixture(scope="module")
def root() -> ET.Element:
    return tree(page())


def test_it_opens_offline(root):
    text = page()
    assert not re.search(r"https?:|[\"'(]//", text)
    assert not {"script", "link", "iframe", "object", "embed"} & {element.tag for element in root.iter()}
    assert all(re.match(r"data:|#", element.get(name)) for element in root.iter() for name in ("src", "href")
               if element.get(name))
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_table_6_has_the_papers_columns_and_our_figures(root):
    made = report()
    head, *rows = tables(root)["Performance by data set."]
    assert [column for column in head if column not in ("Region", "n")] == [
        "Dataset", "Dice (%)", "IoU (%)", "Precision (%)", "Recall (%)", "Hausdorff (mm)"]
    assert [row[:3] for row in rows] == [["phantom livers", "tumour", "6"], ["real livers", "tumour", "7"]]
    dice = made.headlines()[0].metrics["dice"]
    assert rows[0][3] == f"{dice.mean * 100:.1f} {dice.low * 100:.1f} to {dice.high * 100:.1f}"
    assert rows[1][-1].endswith("1 not finite")


def test_every_region_and_metric_has_its_cell(root):
    head, *rows = tables(root)["phantom livers."]
    assert head == ["Metric", "organ", "tumour"]
    assert [row[0] for row in rows] == [
        "Cases (without the region)", "Dice (%)", "IoU (%)", "Precision (%)", "Recall (%)", "F1 (%)", "Hausdorff (mm)",
        "HD95 (mm)", "ASSD (mm)", "Surface Dice (%)", "Volume error (%)", "Lesion-wise Dice (%)",
        "Lesion-wise HD95 (mm)"]
    assert rows[-1][1] == "n/a"


def test_the_papers_figures_are_there_with_words_for_who_does_not_see_them(root):
    drawn = {svg.find("title").text: svg for svg in root.iter("svg")}
    assert set(drawn) == {
        "Performance across data sets", "Training and validation loss over epochs", "Precision and recall",
        "Hausdorff distance across data sets", "Free-response ROC", "Reliability, phantom livers",
        "Reliability, real livers"}
    for svg in drawn.values():
        named = svg.get("aria-labelledby").split()
        assert svg.get("role") == "img"
        assert [svg.find("title").get("id"), svg.find("desc").get("id")] == named
        assert len(svg.find("desc").text) > 20
    assert "phantom livers, tumour: Dice 65.0%" in drawn["Performance across data sets"].find("desc").text
    assert len(drawn["Hausdorff distance across data sets"].findall(".//rect[@rx='2']")) == 4 + 2, "bars and legend"
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_the_loss_curve_has_a_point_for_every_one_given(root):
    svg = next(svg for svg in root.iter("svg") if "loss" in svg.find("title").text)
    training, validation = (line.get("points").split() for line in svg.findall("polyline"))
    assert (len(training), len(validation)) == (7, 4)


def test_the_froc_table_and_curve(root):
    head, row = tables(root)["Sensitivity (%) by false positives a scan."]
    assert head[2:] == ["1/8", "1/4", "1/2", "1", "2", "4", "8", "CPM"]
    assert row[:2] == ["nodule scans", "3, 3"]
    assert row[2].startswith("33.3")
    assert row[-2].startswith("66.7")


def test_pictures_have_words_and_are_in_the_page(root):
    pictures = list(root.iter("img"))
    assert [p.get("alt").split(" case ")[0] for p in pictures] == ["best", "median", "worst"] * 2
    for picture in pictures:
        assert re.search(r"outlines of the true and the found tumour, Dice 80.0%", picture.get("alt"))
        assert base64.b64decode(picture.get("src").removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert "solid blue" in words(root)
    assert "dashed amber" in words(root)


def test_failures_are_counted_with_their_reasons_and_text_is_only_text(root):
    head, *rows = tables(root)["2 cases without an answer."]
    assert head == ["Case", "Dataset", "Reason"]
    assert rows[0] == ["case-x", "phantom livers", "shows no <liver> & more"]
    assert root.find("body/header/h1").text == "How good is <it>?"


@pytest.mark.parametrize(("trained", "evaluated", "word"), [
    (True, True, "trained and evaluated on phantoms"), (True, False, "trained on phantoms"),
    (False, True, "evaluated on phantoms")])
def test_synthetic_data_are_said_to_be_synthetic_before_all_else(trained, evaluated, word):
    made = report().model_copy(update={"trained_on_phantoms": trained, "detections_on_phantoms": evaluated})
    made = made.model_copy(update={"datasets": tuple(d.model_copy(update={"phantoms": evaluated})
                                                     for d in made.datasets)})
    header = tree(page(made)).find("body/header")
    assert header[1].get("class") == "banner"
    assert f"Synthetic data: {word}." in words(header[1])


def test_a_report_of_patients_bears_no_such_banner():
    root = tree(page(report(phantoms=False)))
    assert root.find("body/header/p[@class='banner']") is None


def test_tables_can_be_read_aloud_and_reached_by_keyboard(root):
    assert root.get("lang") == "en"
    for around in root.iter("div"):
        if around.get("class") == "wide":
            assert (around.get("role"), around.get("tabindex")) == ("region", "0")
            assert around.get("aria-label")
    for table in root.iter("table"):
        assert all(cell.get("scope") == "col" for cell in table.iterfind("thead/tr/th"))
        assert all(row[0].get("scope") == "row" for row in table.iterfind("tbody/tr"))
    targets = {element.get("id") for element in root.iter()}
    assert all(link.get("href")[1:] in targets for link in root.iter("a") if link.get("href").startswith("#"))


def test_light_and_dark_have_the_same_colours_to_choose_from():
    style = tree(page()).find("head/style").text
    light, dark = (set(re.findall(r"(--c\d|--back|--card|--text|--soft|--rule):", part))
                   for part in style.split("prefers-color-scheme: dark"))
    assert dark == light


def test_the_table_of_all_cases_travels_in_the_page(root):
    made = report()
    link = next(a for a in root.iter("a") if a.get("download"))
    assert base64.b64decode(link.get("href").split(",", 1)[1]).decode() == scores_csv(made.datasets)


def test_how_it_was_measured_is_said(root):
    said = words(root)
    for word in ("organ 2 mm, tumour 2 mm", "BraTS 2023", "LUNA16", "100 resamples", "left out of the mean"):
        assert word in said
    folded = report()
    folded = folded.model_copy(update={"datasets": (folded.datasets[0].model_copy(update={"folds": 5}),)})
    assert "the model that had not seen it: phantom livers (5 folds)" in words(tree(page(folded)))
    penal = report(settings=ReportSettings(resampling=QUICK.resampling, penalty_mm=374.0))
    assert "counts as 374 mm" in words(tree(page(penal)))


def test_an_empty_report_is_still_a_page():
    text = ReportText(title="t", model="m", created="2026-01-15", trained_on_phantoms=False)
    root = tree(page(build_report(text, [])))
    assert not list(root.iter("svg"))
    assert "0 cases judged" in words(root)
