"""What is burned into a picture of a given size: as much as stays legible and leaves the anatomy free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from PIL import ImageFont

from dicom_node.objects import wording
from dicom_node.objects.painting import AMBER, RGB, WHITE, Lettering, Segment, Words
from inference.findings import Result

Line: TypeAlias = tuple[str, RGB]

_SMALLEST, _SMALL, _LARGEST = 7, 10, 24  # pixels of a font; below the first no one can read it
_TIGHT = 13  # pixels of a font below which one space between words is hardly seen
_WIDE = 0.65  # of the columns: lines keep to their corner
_HIGH = 0.25  # of the rows: the lines' block
_LEGEND_WIDE, _LEGEND_HIGH = 0.75, 0.3
_FEWEST_ROWS = 2  # a legend of one row says less than the space that it takes


@dataclass(frozen=True)
class Caption:
    """The lines that every picture of a series carries, and the room for its legend in pixels."""

    lettering: Lettering
    lines: tuple[Line, ...]
    legend_rows: int
    legend_width: int

    def beside(self, shown: Sequence[Segment]) -> Words:
        """With the names of the segments that a slice shows; what finds no room is counted."""
        if self.legend_rows < _FEWEST_ROWS:
            return Words(self.lines, ())
        fits = len(shown) <= self.legend_rows
        named = shown if fits else shown[:self.legend_rows - 1]
        entries: list[tuple[str, RGB | None]] = [(s.label, s.rgb) for s in named]
        if not fits:
            entries.append((f"and {len(shown) - len(named)} more", None))
        return Words(self.lines, [(_cut(label, self.lettering.text, self.legend_width), rgb) for label, rgb in entries])


def caption(result: Result, description: str, incomplete: str, matrix: tuple[int, ...]) -> Caption:
    """For pictures of `matrix` (rows, columns): the series' description, the mark and the model.

    On small matrices the mark alone, in one word if need be.
    """
    rows, columns = matrix
    text = min(max(min(rows, columns) // 36, _SMALL), _LARGEST)
    lettering = Lettering(text, letters=text * 5 // 4, margin=text * 2 // 3, stroke=1 if text < 16 else 2,
                          foot=text * 5 // 4)
    return Caption(
        *_first_that_fits(_wordings(result, description, incomplete), lettering, rows, columns),
        legend_rows=int(_LEGEND_HIGH * rows / lettering.legend_pitch),
        legend_width=int(_LEGEND_WIDE * columns) - lettering.indent,
    )


def _wordings(result: Result, description: str, incomplete: str) -> list[tuple[float, list[Line]]]:
    """From all that may be said to what must be said, each with the part of the columns that it may take."""
    use, mark = result.model.intended_use, wording.mark(result.model.intended_use)
    model = wording.plain(f"{result.model.name} {result.model.version}")
    marks = ", ".join(part for part in ("INCOMPLETE" if incomplete else "", mark) if part)
    said: list[tuple[float, list[Line]]] = [
        (_WIDE, [(description, WHITE), (mark, AMBER), (model, WHITE)]),
        (_WIDE, [(description, WHITE), (mark, AMBER)]),
        (1.0, [(marks, AMBER)]),
        (1.0, [(wording.short_marks(use, incomplete), AMBER)]),
    ]
    return [(wide, [(line, colour) for line, colour in lines if line]) for wide, lines in said]


def _first_that_fits(wordings: Sequence[tuple[float, Sequence[Line]]], lettering: Lettering, rows: int,
                     columns: int) -> tuple[Lettering, tuple[Line, ...]]:
    for wide, lines in wordings:
        wrapped = _wrapped(lines, lettering.text, int(wide * columns) - 2 * lettering.margin)
        if wrapped is not None and len(wrapped) * lettering.pitch <= _HIGH * rows:
            return lettering, wrapped
    _, lines = wordings[-1]
    for text in range(lettering.text, _SMALLEST - 1, -1):  # the marks stand there all the same, in smaller letters
        smaller = replace(lettering, text=text, letters=text, margin=1)
        wrapped = _wrapped(lines, text, columns - 2)
        if wrapped is not None:
            return smaller, wrapped
    return smaller, tuple(lines)


def _wrapped(lines: Sequence[Line], text: int, width: int) -> tuple[Line, ...] | None:
    """Lines broken between words to `width` pixels; None where a single word is wider."""
    font, gap = ImageFont.load_default(text), _gap(text)
    broken: list[Line] = []
    for line, colour in lines:
        row = ""
        for word in line.split():
            if font.getlength(word) > width:
                return None
            longer = f"{row}{gap}{word}".lstrip()
            if font.getlength(longer) > width:
                broken.append((row, colour))
                longer = word
            row = longer
        broken.append((row, colour))
    return tuple(broken)


def _gap(text: int) -> str:
    return "  " if text < _TIGHT else " "


def _cut(label: str, text: int, width: int) -> str:
    font, label = ImageFont.load_default(text), label.replace(" ", _gap(text))
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(f"{label}...") > width:
        label = label[:-1]
    return f"{label.rstrip()}..."
