"""A document as PDF, A4: a cover with its contents, then every section; the same document gives the same bytes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING

from dicom_node.conformance.document import Block, Document, Table, numbered
from dicom_node.objects.page import legible

if TYPE_CHECKING:
    from fpdf import FPDF

_MARGIN, _FOOT = 16.0, 14.0  # mm
_LISTED = 3  # depth of the sections in the contents, which fill a page
_DASHES = str.maketrans({"–": "-", "…": "..."})  # which the PDF's own fonts lack
_SIZES = {1: 15.0, 2: 12.5, 3: 11.0}  # points, by depth
_TEXT, _CELL, _SMALL = 9.5, 7.5, 8.0
_WIDEST, _NARROWEST = 40, 8  # letters that a column's share of the width is reckoned from


@lru_cache(maxsize=2)  # its tables take seconds
def to_pdf(document: Document, made_on: date) -> bytes:
    """The whole document, made on this day."""
    pdf = _paper(document.title)
    pdf.set_creation_date(datetime.combine(made_on, time(), tzinfo=UTC))
    _cover(pdf, document)
    for part in numbered(document.sections):
        if part.depth == 1 and part.number != "1":
            pdf.add_page()
        pdf.ln(3)
        if part.depth <= _LISTED:
            pdf.start_section(_shown(part.heading), level=part.depth - 1)
        _write(pdf, part.heading, _SIZES.get(part.depth, 10.0), bold=True)
        for block in part.blocks:
            _block(pdf, block)
    return bytes(pdf.output())


def _paper(title: str) -> FPDF:
    from fpdf import FPDF  # only those who write a document need it

    class Paper(FPDF):
        """Sheets with their number at the foot."""

        def footer(self) -> None:
            self.set_y(-_FOOT)
            self.set_font("Helvetica", "", _SMALL)
            self.cell(0, 5, f"{_shown(title)}    {self.page_no()}", align="C")

    pdf = Paper(format="A4")
    pdf.set_title(_shown(title))
    pdf.set_producer("Segnode")
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(auto=True, margin=_FOOT + 4)
    return pdf


def _cover(pdf: FPDF, document: Document) -> None:
    from fpdf.outline import TableOfContents

    pdf.add_page()
    _write(pdf, document.title, 20.0, bold=True, before=30)
    for name, value in document.cover:
        _write(pdf, f"{name}: {value}", _TEXT)
    _write(pdf, "Contents", _SIZES[2], bold=True, before=10)
    pdf.set_font("Helvetica", "", _SMALL)
    pdf.insert_toc_placeholder(TableOfContents().render_toc, allow_extra_pages=True)


def _block(pdf: FPDF, block: Block) -> None:
    if not isinstance(block, Table):
        _write(pdf, block, _TEXT, before=1)
        return
    _write(pdf, block.caption, _SMALL, bold=True, before=2)
    pdf.set_font("Helvetica", "", _CELL)
    with pdf.table(col_widths=_widths(block), line_height=3.6, padding=0.6, text_align="LEFT") as table:
        for cells in (block.columns, *block.rows):
            row = table.row()
            for cell in cells:
                row.cell(_shown(cell))
    pdf.ln(2)


def _shown(text: str) -> str:
    return legible(text.translate(_DASHES))


def _widths(table: Table) -> tuple[int, ...]:
    """Each column's share, by its longest cell within bounds."""
    columns = zip(table.columns, *table.rows, strict=True)
    return tuple(max(_NARROWEST, min(_WIDEST, max(map(len, cells)))) for cells in columns)


def _write(pdf: FPDF, text: str, size: float, *, bold: bool = False, before: float = 0.0) -> None:
    """A paragraph, with so many mm of room before it."""
    pdf.ln(before)
    pdf.set_font("Helvetica", "B" if bold else "", size)
    pdf.multi_cell(0, size * 0.48, _shown(text), align="L", new_x="LMARGIN", new_y="NEXT")
