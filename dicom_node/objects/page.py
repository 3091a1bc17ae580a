"""One printed page, A4: facts beside pictures, a table, notes, and whose word it is.

The letters are those of Latin-1, the PDF's own fonts: what they lack is told, never dropped in silence.
The same page gives the same bytes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, cast

from PIL import Image

if TYPE_CHECKING:
    from fpdf import FPDF

MAX_PICTURES = 4
MAX_ROWS = 16
BESIDE_TABLES = (2, 10)  # pictures and rows, where further tables need their room
LONGEST_NOTE = 2000  # characters, of which any page has room for one
UNSHOWN = "(in letters that this page lacks)"
_LOST = "\0"  # printable text has none
_MARGIN, _WIDTH, _BOTTOM = 12.0, 186.0, 274.0  # mm on A4
_PICTURE, _GAP = 60.0, 2.0  # mm
_FACTS_LEFT = _MARGIN + 2 * (_PICTURE + _GAP) + 2.0
_PIXELS = 720  # of a picture's long side: 300 to the inch
_DARK, _PALE, _RED, _WHITE = (30, 34, 40), (110, 116, 124), (176, 24, 24), (255, 255, 255)


class _Look(NamedTuple):
    """Letters of a size in points on lines of a height in mm; `banner` fills the line behind them."""

    size: float
    height: float
    bold: bool = False
    colour: tuple[int, int, int] = _DARK
    banner: bool = False


_TITLE = _Look(18, 9, bold=True)
_MARK = _Look(20, 12, bold=True, colour=_WHITE, banner=True)
_NAME, _FACT = _Look(7, 3.2, colour=_PALE), _Look(9.5, 5.2)
_HEADING, _CELL = _Look(9, 4.6, bold=True), _Look(9, 4.6)
_NOTE, _CLOSING = _Look(8.5, 3.9), _Look(8, 3.8, bold=True, colour=_PALE)


@dataclass(frozen=True)
class Row:
    """A line of a table, with the colour that its segment has; None where it is about no segment."""

    rgb: tuple[int, int, int] | None
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table after the findings', as short as it has to be: headings and widths in mm, and what it leaves out."""

    columns: Sequence[tuple[str, float]]
    rows: Sequence[Row]
    left_out: str = ""


@dataclass(frozen=True, eq=False)
class Page:
    """What a page says. `columns` are the table's headings and widths in mm; `closing` stands at the foot.

    With further `tables` there are fewer pictures and rows of the first. What finds no room stands in reports beside
    the page or, where it is not `reported`, on pages after it.
    """

    title: str
    mark: str
    facts: Sequence[tuple[str, str]]
    pictures: Sequence[Image.Image]
    columns: Sequence[tuple[str, float]]
    rows: Sequence[Row]
    notes: Sequence[str]
    closing: Sequence[str]
    created_at: float  # epoch seconds
    tables: Sequence[Table] = ()
    reported: bool = True


def draw(page: Page) -> bytes:
    """The page as PDF, with pages after it where no report says what it has no room for."""
    from fpdf import FPDF  # only those who write a document need it

    pdf = FPDF(format="A4")
    pdf.set_creation_date(datetime.fromtimestamp(int(page.created_at), tz=UTC))
    pdf.set_title(legible(page.title))
    pdf.set_producer("Segnode")
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(auto=False)
    pdf.add_page()
    _head(pdf, page)
    top = pdf.get_y()
    most_pictures, most_rows = BESIDE_TABLES if page.tables else (MAX_PICTURES, MAX_ROWS)
    below = max(_pictures(pdf, page.pictures[:most_pictures], top),
                _facts(pdf, page.facts, top, beside=bool(page.pictures)))
    pdf.set_y(below + 3)
    for table in (_findings(page, page.rows, most_rows), *page.tables):
        _table(pdf, table)
    rows, notes = page.rows[most_rows:], _notes(pdf, page, page.notes)
    _foot(pdf, page)
    while not page.reported and (rows or notes):
        rows, notes = _next_page(pdf, page, rows, notes)
    return bytes(pdf.output())


def legible(text: str) -> str:
    """`text` in Latin-1: other letters by their nearest; where some have none, that is said."""
    shown = "".join(_nearest(letter) for letter in unicodedata.normalize("NFC", text) if letter.isprintable())
    if _LOST not in shown:
        return " ".join(shown.split())
    known = shown.replace(_LOST, "?") if any(letter.isalnum() for letter in shown) else ""
    return " ".join([*known.split(), UNSHOWN])


def _nearest(letter: str) -> str:
    """A letter in Latin-1; `_LOST` for one that has no likeness there."""
    try:
        letter.encode("latin-1")
    except UnicodeEncodeError:
        plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
        return plain or (_LOST if letter.isalnum() else " ")
    return letter


def _head(pdf: FPDF, page: Page) -> None:
    _line(pdf, page.title, _TITLE)
    if page.mark:
        pdf.set_fill_color(*_RED)
        _line(pdf, page.mark, _MARK)
    pdf.ln(2)


def _pictures(pdf: FPDF, pictures: Sequence[Image.Image], top: float) -> float:
    """Two a row, each within a square; returns where they end, in mm."""
    for number, picture in enumerate(pictures):
        small = picture.convert("RGB")
        small.thumbnail((_PIXELS, _PIXELS), Image.Resampling.LANCZOS)
        pdf.image(
            small,
            x=_MARGIN + (number % 2) * (_PICTURE + _GAP), y=top + (number // 2) * (_PICTURE + _GAP),
            w=_PICTURE, h=_PICTURE, keep_aspect_ratio=True,
        )
    return top + (len(pictures) + 1) // 2 * (_PICTURE + _GAP)


def _facts(pdf: FPDF, facts: Sequence[tuple[str, str]], top: float, *, beside: bool) -> float:
    """Names over values, right of the pictures where there are any; returns where they end, in mm."""
    left = _FACTS_LEFT if beside else _MARGIN
    pdf.set_y(top)
    for name, value in facts:
        pdf.set_x(left)
        _line(pdf, name, _NAME)
        pdf.set_x(left)
        _line(pdf, value or "-", _FACT)
    return float(pdf.get_y())


def _next_page(pdf: FPDF, page: Page, rows: Sequence[Row], notes: Sequence[str]) -> tuple[Sequence[Row], Sequence[str]]:
    """As many of these as a page holds, rows first; gives those that are left."""
    pdf.add_page()
    _head(pdf, page)
    most_rows = int((_BOTTOM - pdf.get_y()) / _CELL.height) - 2  # beside the headings, and that there are more
    _table(pdf, _findings(page, rows, most_rows))
    left = notes if rows[most_rows:] else _notes(pdf, page, notes)
    _foot(pdf, page)
    return rows[most_rows:], left


def _findings(page: Page, rows: Sequence[Row], most: int) -> Table:
    """A table of these; that there are more findings than rows is said."""
    more, where = len(rows) - most, "in the measurement report" if page.reported else "on the next page"
    return Table(page.columns, rows[:most], f"and {more} more, {where}" if more > 0 else "")


def _table(pdf: FPDF, table: Table) -> None:
    if not table.rows:
        return
    pdf.set_draw_color(*_PALE)
    _cells(pdf, [name for name, _ in table.columns], table.columns, _HEADING)
    pdf.line(_MARGIN, pdf.get_y(), _MARGIN + _WIDTH, pdf.get_y())
    for row in table.rows:
        if row.rgb:
            pdf.set_fill_color(*row.rgb)
            pdf.rect(_MARGIN, pdf.get_y() + 1, 2.6, 2.6, style="F")
        _cells(pdf, row.cells, table.columns, _CELL)
    if table.left_out:
        _line(pdf, table.left_out, _CELL)
    pdf.ln(2)


def _cells(pdf: FPDF, texts: Sequence[str], columns: Sequence[tuple[str, float]], look: _Look) -> None:
    pdf.set_x(_MARGIN + 4)
    for text, (_, width) in zip(texts, columns, strict=True):
        _cell(pdf, text, width, look)
    pdf.ln(look.height)


def _notes(pdf: FPDF, page: Page, notes: Sequence[str]) -> Sequence[str]:
    """As many as there is room for; that there are more is said. Gives those."""
    where = "in the summary report" if page.reported else "on the next page"
    _take(pdf, _NOTE)
    for number, note in enumerate(notes):
        text = legible(note if len(note) <= LONGEST_NOTE else f"{note[:LONGEST_NOTE]}...")
        lines = cast("list[str]", pdf.multi_cell(_WIDTH, _NOTE.height, text, dry_run=True, output="LINES"))
        if pdf.get_y() + (len(lines) + 1) * _NOTE.height > _BOTTOM:
            _line(pdf, f"and {len(notes) - number} more notes, {where}", _NOTE)
            return notes[number:]
        pdf.multi_cell(_WIDTH, _NOTE.height, text, new_x="LMARGIN", new_y="NEXT")
    return ()


def _foot(pdf: FPDF, page: Page) -> None:
    pdf.set_y(_BOTTOM)
    pdf.set_draw_color(*_PALE)
    pdf.line(_MARGIN, _BOTTOM, _MARGIN + _WIDTH, _BOTTOM)
    for sentence in page.closing:
        _line(pdf, sentence, _CLOSING)


def _line(pdf: FPDF, text: str, look: _Look) -> None:
    """One line from here to the right margin."""
    _cell(pdf, text, _MARGIN + _WIDTH - pdf.get_x(), look)
    pdf.ln(look.height)


def _cell(pdf: FPDF, text: str, width: float, look: _Look) -> None:
    """Text within a width in mm; what is too long for it ends in dots."""
    _take(pdf, look)
    shown = legible(text)
    if pdf.get_string_width(shown) > width - 2:
        while shown and pdf.get_string_width(f"{shown}...") > width - 2:
            shown = shown[:-1]
        shown = f"{shown}..."
    pdf.cell(width, look.height, shown, fill=look.banner, align="C" if look.banner else "L")


def _take(pdf: FPDF, look: _Look) -> None:
    pdf.set_font("Helvetica", "B" if look.bold else "", look.size)
    pdf.set_text_color(*look.colour)
