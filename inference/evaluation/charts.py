"""Charts as SVG in the page: bars, lines, points. Colours are the page's variables, so that they follow light and dark.

Every chart is an image with a title and a description for who does not see it. Series differ by colour and by dash or
shape as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from inference.evaluation.intervals import Interval

WIDTH, HEIGHT = 560, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 44, 52
COLOURS = 6  # variables --c0 … of the page
_DASHES = ("", "7 4", "2 3", "10 3 2 3", "4 2", "1 4")


class Words(NamedTuple):
    """What a chart is called, and what it says in a sentence or two; `key` is unique in the page."""

    key: str
    title: str
    says: str


class Axis(NamedTuple):
    """An axis from `low` to `high`, with its label and the places and texts of its ticks."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low and 1 at the high end; beyond them at the end."""
        change: Callable[[float], float] = math.log2 if self.logarithmic else float
        value = min(max(value, self.low), self.high)
        return (change(value) - change(self.low)) / (change(self.high) - change(self.low))


class Bars(NamedTuple):
    """A series of bars, one a group; None where there is none."""

    name: str
    values: tuple[Interval | None, ...]


class Line(NamedTuple):
    """A series of points (x, y) joined in their order."""

    name: str
    points: tuple[tuple[float, float], ...]


class Dot(NamedTuple):
    """A mean with both intervals, and the cases that it is the mean of."""

    name: str
    x: Interval
    y: Interval
    cases: tuple[tuple[float, float], ...] = ()


def linear(label: str, low: float, high: float) -> Axis:
    """An axis with about five round ticks; it ends at a tick."""
    span = max(high - low, 1e-9)
    step = 10.0 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if span / (step * factor) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = tuple((n * step, f"{n * step:.6g}") for n in range(first, last + 1))
    return Axis(label, first * step, last * step, ticks)


def doubling(label: str, exponents: range) -> Axis:
    """A logarithmic axis with a tick at each power of two (1/8, 1/4 … 8)."""
    ticks = tuple((2.0**n, str(2**n) if n >= 0 else f"1/{2**-n}") for n in exponents)
    return Axis(label, ticks[0][0], ticks[-1][0], ticks, logarithmic=True)


def bar_chart(words: Words, groups: Sequence[str], series: Sequence[Bars], axis: Axis) -> str:
    """Bars in groups with their intervals as whiskers, and the value above each."""
    parts = [_grid_rows(axis), _legend([bars.name for bars in series])]
    room = (WIDTH - _LEFT - _RIGHT) / max(len(groups), 1)
    width = min(room * 0.78 / max(len(series), 1), 64.0)
    for number, group in enumerate(groups):
        middle = _LEFT + room * (number + 0.5)
        parts.append(_text(middle, HEIGHT - _BOTTOM + 20, _shortened(group, room), "middle"))
        for place, bars in enumerate(series):
            value = bars.values[number]
            if value is not None and value.mean is not None:
                left = middle + (place - len(series) / 2) * width
                parts.append(_bar(left, width, value, axis, place))
    parts.append(_line(_LEFT, HEIGHT - _BOTTOM, WIDTH - _RIGHT, HEIGHT - _BOTTOM, "axis"))
    return _svg(words, parts)


def line_chart(words: Words, series: Sequence[Line], x: Axis, y: Axis, *, diagonal: bool = False) -> str:
    """Lines over an axis; with `diagonal` also the line on which y equals x."""
    parts = [_grid_rows(y), _columns(x), _legend([line.name for line in series], dashed=True)]
    if diagonal:
        parts.append(_line(_x(x, x.low), _y(y, x.low), _x(x, x.high), _y(y, x.high), "guide"))
    for number, line in enumerate(series):
        places = " ".join(f"{_x(x, a):.1f},{_y(y, b):.1f}" for a, b in line.points)
        parts.append(f'<polyline class="line s{number % COLOURS}" points="{places}"{_dash(number)} />')
        if len(line.points) <= 15:
            parts += [f'<circle class="fill s{number % COLOURS}" cx="{_x(x, a):.1f}" cy="{_y(y, b):.1f}" r="3" />'
                      for a, b in line.points]
    return _svg(words, parts)


def dot_chart(words: Words, dots: Sequence[Dot], x: Axis, y: Axis) -> str:
    """Means with intervals along both axes, over the cases that they are means of."""
    parts = [_grid_rows(y), _columns(x), _legend([dot.name for dot in dots], shaped=True)]
    for number, dot in enumerate(dots):
        parts += [f'<circle class="case s{number % COLOURS}" cx="{_x(x, a):.1f}" cy="{_y(y, b):.1f}" r="2.5" />'
                  for a, b in dot.cases]
    for number, dot in enumerate(dots):
        if dot.x.mean is None or dot.y.mean is None:
            continue
        across, up = _x(x, dot.x.mean), _y(y, dot.y.mean)
        if dot.x.low is not None and dot.x.high is not None:
            parts.append(_line(_x(x, dot.x.low), up, _x(x, dot.x.high), up, "whisker"))
        if dot.y.low is not None and dot.y.high is not None:
            parts.append(_line(across, _y(y, dot.y.low), across, _y(y, dot.y.high), "whisker"))
        parts.append(_shape(across, up, number, 6))
    return _svg(words, parts)


def _bar(left: float, width: float, value: Interval, axis: Axis, place: int) -> str:
    mean = value.mean or 0.0
    top, foot, middle = _y(axis, mean), _y(axis, axis.low), left + width / 2
    size = f'width="{width - 2:.1f}" height="{max(foot - top, 0):.1f}"'
    parts = [f'<rect class="fill s{place % COLOURS}" x="{left + 1:.1f}" y="{top:.1f}" {size} rx="2" />']
    highest = top
    if value.low is not None and value.high is not None:
        highest, lowest = _y(axis, value.high), _y(axis, value.low)
        cap = min(width / 5, 6)
        parts += [_line(middle, lowest, middle, highest, "whisker"),
                  _line(middle - cap, lowest, middle + cap, lowest, "whisker"),
                  _line(middle - cap, highest, middle + cap, highest, "whisker")]
    parts.append(_text(middle, highest - 5, f"{mean:.1f}", "middle", "value"))
    return "".join(parts)


def _svg(words: Words, parts: Sequence[str]) -> str:
    return (f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{words.key}-t {words.key}-d">'
            f'<title id="{words.key}-t">{escape(words.title)}</title>'
            f'<desc id="{words.key}-d">{escape(words.says)}</desc>{"".join(parts)}</svg>')


def _grid_rows(axis: Axis) -> str:
    rows = [_line(_LEFT, _y(axis, value), WIDTH - _RIGHT, _y(axis, value), "grid")
            + _text(_LEFT - 8, _y(axis, value) + 4, text, "end") for value, text in axis.ticks]
    middle = (HEIGHT - _BOTTOM + _TOP) / 2
    turned = (f'<text class="label" text-anchor="middle" transform="translate(15 {middle:.0f}) rotate(-90)">'
              f"{escape(axis.label)}</text>")
    return "".join(rows) + turned


def _columns(axis: Axis) -> str:
    foot = HEIGHT - _BOTTOM
    columns = [_line(_x(axis, value), foot, _x(axis, value), foot + 5, "axis")
               + _text(_x(axis, value), foot + 19, text, "middle") for value, text in axis.ticks]
    label = _text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 10, axis.label, "middle", "label")
    return "".join(columns) + _line(_LEFT, foot, WIDTH - _RIGHT, foot, "axis") + label


def _legend(names: Sequence[str], *, dashed: bool = False, shaped: bool = False) -> str:
    """The series from left to right above the chart, in a second row where the first is full."""
    parts, across, down = [], float(_LEFT), 14.0
    for number, name in enumerate(names):
        length = 30 + 6.6 * len(name)
        if across + length > WIDTH and across > _LEFT:
            across, down = float(_LEFT), down + 16
        if shaped:
            parts.append(_shape(across + 9, down - 4, number, 5))
        elif dashed:
            parts.append(f'<line class="line s{number % COLOURS}" x1="{across:.1f}" x2="{across + 20:.1f}" '
                         f'y1="{down - 4:.1f}" y2="{down - 4:.1f}"{_dash(number)} />')
        else:
            parts.append(f'<rect class="fill s{number % COLOURS}" x="{across + 4:.1f}" y="{down - 10:.1f}" '
                         'width="12" height="12" rx="2" />')
        parts.append(_text(across + 25, down, name))
        across += length + 14
    return "".join(parts)


def _shape(x: float, y: float, number: int, r: float) -> str:
    """A circle, square, diamond or triangle."""
    corners = {1: ((-1, -1), (1, -1), (1, 1), (-1, 1)), 2: ((0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)),
               3: ((0, -1.3), (1.2, 0.9), (-1.2, 0.9))}.get(number % 4)
    kind = f'class="mark s{number % COLOURS}"'
    if corners is None:
        return f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="{r}" />'
    places = " ".join(f"{x + a * r:.1f},{y + b * r:.1f}" for a, b in corners)
    return f'<polygon {kind} points="{places}" />'


def _x(axis: Axis, value: float) -> float:
    return _LEFT + axis.share(value) * (WIDTH - _LEFT - _RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - _BOTTOM - axis.share(value) * (HEIGHT - _TOP - _BOTTOM)


def _dash(number: int) -> str:
    dash = _DASHES[number % len(_DASHES)]
    return f' stroke-dasharray="{dash}"' if dash else ""


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" />'


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _shortened(text: str, room: float) -> str:
    most = max(int(room / 6.6), 4)
    return text if len(text) <= most else text[: most - 1] + "…"
