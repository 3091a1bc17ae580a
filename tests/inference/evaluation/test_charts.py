"""Charts: marks stand where their values are."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from inference.evaluation.charts import (
    HEIGHT,
    WIDTH,
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
from inference.evaluation.intervals import Interval

WORDS = Words("k", "A <chart>", "Says & shows.")


def value(mean: float, low: float | None = None, high: float | None = None) -> Interval:
    return Interval(mean=mean, low=low, high=high, n=5)


def ticks(axis: Axis) -> list[str]:
    return [text for _, text in axis.ticks]


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0, 100, ["0", "20", "40", "60", "80", "100"]), (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
    (55, 100, ["50", "60", "70", "80", "90", "100"]), (0, 7.3, ["0", "2", "4", "6", "8"]), (3, 3, ["3"]),
])
def test_ticks_are_round_and_hold_the_values(low, high, expected):
    axis = linear("x", low, high)
    assert ticks(axis)[: len(expected)] == expected
    assert axis.low <= low <= high <= axis.high
    assert axis.low < axis.high


def test_a_doubling_axis_has_each_power_of_two_as_far_from_the_next():
    axis = doubling("x", range(-3, 4))
    assert ticks(axis) == ["1/8", "1/4", "1/2", "1", "2", "4", "8"]
    shares = [axis.share(place) for place, _ in axis.ticks]
    assert [b - a for a, b in pairwise(shares)] == pytest.approx([1 / 6] * 6)
    assert (axis.share(0.0), axis.share(100.0)) == (0.0, 1.0)


def test_bars_are_as_high_as_their_values_and_one_may_be_missing():
    svg = ET.fromstring(bar_chart(WORDS, ["a", "b"], [Bars("one", (value(50, 40, 60), None)),
                                                      Bars("two", (value(100), value(25)))], linear("%", 0, 100)))
    bars = [rect for rect in svg.iter("rect") if rect.get("height") != "12"]
    full = max(float(bar.get("height")) for bar in bars)
    assert [float(bar.get("height")) / full for bar in bars] == pytest.approx([0.5, 1.0, 0.25], abs=0.01)
    assert len([line for line in svg.iter("line") if line.get("class") == "whisker"]) == 3
    assert [text.text for text in svg.iter("text") if text.get("class") == "value"] == ["50.0", "100.0", "25.0"]
    assert (svg.find("title").text, svg.find("desc").text) == ("A <chart>", "Says & shows.")


def test_lines_differ_by_dash_too_and_stay_in_the_picture():
    lines = [Line("a", ((0, 0), (1, 1))), Line("b", ((0, 1), (1, 5)))]
    svg = ET.fromstring(line_chart(WORDS, lines, linear("x", 0, 1), linear("y", 0, 1), diagonal=True))
    first, second = svg.findall("polyline")
    assert first.get("stroke-dasharray") != second.get("stroke-dasharray")
    for line in (first, second):
        for place in line.get("points").split():
            x, y = map(float, place.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    assert svg.find("line[@class='guide']") is not None


def test_dots_differ_by_shape_too_and_stand_over_their_cases():
    dots = [Dot("a", value(80, 70, 90), value(60, 50, 70), ((75, 55), (85, 65))), Dot("b", value(50), value(50))]
    svg = ET.fromstring(dot_chart(WORDS, dots, linear("x", 0, 100), linear("y", 0, 100)))
    marks = [element.tag for element in svg.iter() if (element.get("class") or "").startswith("mark")]
    assert marks == ["circle", "polygon"] * 2, "legend, then chart"
    assert len([c for c in svg.iter("circle") if c.get("class").startswith("case")]) == 2
    assert len([line for line in svg.iter("line") if line.get("class") == "whisker"]) == 2
