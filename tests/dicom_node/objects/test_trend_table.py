"""The trend's tables: dates across, lesions down, no more than the page holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from beside_prior import GROWN_UID, TREND

from dicom_node.objects.identity import JobNames
from dicom_node.objects.page import Table
from dicom_node.objects.trend_table import MAX_DATES, MAX_LESIONS, trend_tables
from inference.codes import LIVER, NEOPLASM
from inference.trend import Outcome, Seen, Since, Size, TargetSum, TimePoint, Trend


@pytest.fixture
def tables(followed_case):
    case = followed_case()

    def make(trend: Trend | None = TREND) -> list[Table]:
        return trend_tables(replace(case.result, trend=trend), JobNames("job"))

    return make


def test_lesions_stand_by_date_with_their_change(tables) -> None:
    lesions, sums = tables()
    assert [name for name, _ in lesions.columns] == [
        "mL; long axis, mm", "2025-01-07", "2025-07-07", "2025-11-04", "Since prior", "Doubles in"]
    assert [row.cells for row in lesions.rows] == [
        ("Liver tumour 1", "1.50; 10.0", "2.00; 11.0", "2.50; 12.5", "+25 %; +14 %", "373 d"),
        ("Liver tumour 2", "-", "-", "3.75; 13.5", "new", "-"),
        ("Liver tumour 7", "0.50; 9.0", "0.40; 8.5", "gone", "-", "-"),
    ]
    assert lesions.left_out == ""
    assert [row.cells for row in sums.rows] == [
        ("RECIST 1.1, long axes, mm", "35.0", "28.0", "30.5", "-12.9 %", "+8.9 %", "0")]


def test_a_lesion_that_the_prior_missed_is_told_apart_from_a_new_one(tables) -> None:
    again = replace(TREND.lesions[1], outcome=Outcome.RETURNED)
    assert tables(replace(TREND, lesions=(again,)))[0].rows[0].cells[-2:] == ("found again", "-")


def test_every_table_is_as_wide_as_the_page(tables) -> None:
    many = replace(TREND, points=(*TREND.points, *TREND.points))
    for table in (*tables(), *tables(many)):
        assert sum(width for _, width in table.columns) == 182.0
        assert all(len(row.cells) == len(table.columns) for row in table.rows)


def test_a_lesion_has_its_segments_colour_and_grey_where_none_shows_it(tables) -> None:
    lesions, _ = tables()
    assert [row.rgb for row in lesions.rows] == [(255, 0, 200), (255, 0, 200), (150, 150, 150)]


def test_the_newest_dates_win_and_what_is_left_out_is_said(tables) -> None:
    earlier = tuple(TimePoint(date(2024, month, 1), {GROWN_UID: Seen(Size(1.0, 9.0, 7.0))}) for month in range(1, 4))
    more = tuple(Since(Outcome.OUTSIDE, f"2.25.9{n}", f"Liver tumour {n}", NEOPLASM, LIVER, Size(1.0, 9.0, 7.0))
                 for n in range(20, 26))
    lesions, _ = tables(replace(TREND, points=(*earlier, *TREND.points), lesions=(*TREND.lesions, *more)))
    assert [name for name, _ in lesions.columns][1:1 + MAX_DATES] == [
        "2024-03-01", "2025-01-07", "2025-07-07", "2025-11-04"]
    assert len(lesions.rows) == MAX_LESIONS
    assert lesions.left_out == "and 1 more lesion and 2 earlier dates, not shown here"


def test_a_size_that_the_images_cut_off_is_a_least_one(tables) -> None:
    cut = Size(2.5, 12.5, 9.0, whole=False)
    point = replace(TREND.points[-1], seen={GROWN_UID: Seen(cut)})
    lesion = replace(TREND.lesions[0], after=cut)
    lesions, _ = tables(replace(TREND, points=(*TREND.points[:-1], point), lesions=(lesion,)))
    assert lesions.rows[0].cells[3:] == ("> 2.50; 12.5", "-", "-")


def test_what_cannot_be_summed_is_a_dash(tables) -> None:
    none = TargetSum("RANO", "mm2", 0, None, 0.0, 0.0, reason="no lesion was measurable on the first date", new=3)
    (sums,) = tables(replace(TREND, sums=(none,), lesions=()))
    assert sums.rows[0].cells == ("RANO, products of axes, mm²", "-", "-", "-", "-", "-", "3")


@pytest.mark.parametrize("trend", [None, replace(TREND, refusal="the images do not look alike")])
def test_what_was_not_compared_does_not_stand_side_by_side(trend: Trend | None, tables) -> None:
    assert tables(trend) == []
