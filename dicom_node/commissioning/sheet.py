"""The sign-off: pages that say what was commissioned, how it stands, what was checked, and who takes it over.

A4, as long as it has to be. Letters are those of Latin-1, as on the page of a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TableCellFillMode
from fpdf.fonts import FontFace
from PIL import Image

from dicom_node.commissioning.record import Agreement, Check, Partner, SignOff, Study
from dicom_node.objects.page import legible

_MARGIN, _WIDTH, _FOOT = 14.0, 182.0, 16.0  # mm on A4
_PICTURE, _GAP, _PIXELS = 88.0, 6.0, 700  # mm, mm, pixels of a picture's long side
_DARK, _PALE, _LINE = (30, 34, 40), (105, 111, 119), (200, 204, 208)
_GREEN, _RED = (24, 110, 56), (176, 24, 24)
_SIGNATURES = ("For the hospital's IT", "For radiology", "For medical physics", "For the supplier")
_CONFIRMS = "By signing, each confirms to have read these pages, and that the node may be used as they describe."
_CONFIRMS_FAILURE = "Checks have failed: signing confirms that these pages were read, not that the node may be used."
_SYNTHETIC = "The patients in this commissioning are synthetic: drawn by software, no person's images."


class _Sheet(FPDF):
    """Pages with the node's name and their number at the foot."""

    def __init__(self, name: str) -> None:
        super().__init__(format="A4")
        self._name = name
        self.set_margins(_MARGIN, _MARGIN)
        self.set_auto_page_break(auto=True, margin=_FOOT + 4)
        self.alias_nb_pages()

    def footer(self) -> None:
        self.set_y(-_FOOT)
        self.set_draw_color(*_LINE)
        self.line(_MARGIN, self.get_y(), _MARGIN + _WIDTH, self.get_y())
        self._take(8, colour=_PALE)
        self.cell(_WIDTH / 2, 6, self._name)
        self.cell(_WIDTH / 2, 6, f"page {self.page_no()} of {{nb}}", align="R")

    def _take(self, size: float, *, bold: bool = False, colour: tuple[int, int, int] = _DARK) -> None:
        self.set_font("Helvetica", "B" if bold else "", size)
        self.set_text_color(*colour)

    def title_line(self, text: str) -> None:
        self._take(20, bold=True)
        self.multi_cell(_WIDTH, 9, legible(text), new_x="LMARGIN", new_y="NEXT")

    def verdict(self, text: str, *, good: bool) -> None:
        """One line in white on green or red."""
        self.set_fill_color(*(_GREEN if good else _RED))
        self._take(13, bold=True, colour=(255, 255, 255))
        self.multi_cell(_WIDTH, 9, legible(text), fill=True, align="C", new_x="LMARGIN", new_y="NEXT")
        self.ln(3)

    def heading(self, text: str, *, room: float = 30.0) -> None:
        """A heading that stays with what follows it: `room` mm of that."""
        if self.will_page_break(room):
            self.add_page()
        self.ln(2)
        self._take(13, bold=True)
        self.multi_cell(_WIDTH, 8, legible(text), new_x="LMARGIN", new_y="NEXT")

    def words(self, text: str, *, size: float = 9.5, colour: tuple[int, int, int] = _DARK) -> None:
        self._take(size, colour=colour)
        self.multi_cell(_WIDTH, size * 0.48, legible(text), new_x="LMARGIN", new_y="NEXT")

    def grid(self, columns: Sequence[tuple[str, float]], rows: Sequence[Sequence[str]]) -> None:
        """A table that goes on over pages, its heading on each, if any; widths in parts of the page's."""
        self._take(9)
        self.set_fill_color(255, 255, 255)
        titled = any(name for name, _ in columns)
        self.set_draw_color(*_LINE)
        with self.table(
            width=_WIDTH, col_widths=[width for _, width in columns], line_height=4.6, padding=1, text_align="LEFT",
            borders_layout=TableBordersLayout.HORIZONTAL_LINES, cell_fill_mode=TableCellFillMode.NONE,
            first_row_as_headings=titled,
        ) as table:
            if titled:
                table.row([name for name, _ in columns])
            for cells in rows:
                row = table.row()
                for cell in cells:
                    row.cell(legible(cell), style=self._style_of(cell))
        self.ln(2)

    def _style_of(self, cell: str) -> FontFace | None:
        colour = {"passed": _GREEN, "failed": _RED}.get(cell)
        return FontFace(emphasis="BOLD", color=colour) if colour else None

    def pictures(self, pictures: Sequence[Image.Image]) -> None:
        """Two a row, each within a square."""
        for left in range(0, len(pictures), 2):
            if self.will_page_break(_PICTURE):
                self.add_page()
            top = self.get_y()
            for place, picture in enumerate(pictures[left : left + 2]):
                small = picture.convert("RGB")
                small.thumbnail((_PIXELS, _PIXELS), Image.Resampling.LANCZOS)
                packed = BytesIO()
                small.save(packed, "JPEG", quality=90, subsampling=0)  # goes by mail; nobody reads images on it
                x = _MARGIN + place * (_PICTURE + _GAP)
                self.image(packed, x=x, y=top, w=_PICTURE, h=_PICTURE, keep_aspect_ratio=True)
            self.set_y(top + _PICTURE + _GAP)

    def plain(self, text: str) -> None:
        """Text in letters of one width, line by line."""
        self.set_font("Courier", "", 7.5)
        self.set_text_color(*_DARK)
        for line in text.splitlines():
            indent = len(line) - len(line.lstrip())
            self.multi_cell(_WIDTH, 3.4, " " * indent + legible(line), new_x="LMARGIN", new_y="NEXT", align="L")

    def signatures(self) -> None:
        """Lines to sign on, all on one page."""
        for who in _SIGNATURES:
            self.ln(13)
            y = self.get_y()
            self.set_draw_color(*_DARK)
            for x, width, name in ((0.0, 62.0, f"{who}: name"), (68.0, 36.0, "date"), (110.0, 72.0, "signature")):
                self.line(_MARGIN + x, y, _MARGIN + x + width, y)
                self.set_xy(_MARGIN + x, y + 0.5)
                self._take(8, colour=_PALE)
                self.cell(width, 4, legible(name))
            self.set_xy(_MARGIN, y + 4)


def sign_off_pdf(found: SignOff) -> bytes:
    """The pages as PDF."""
    sheet = _Sheet(legible(f"Segnode {found.version}, {found.node}: commissioning of {_clock(found.started_at)}"))
    sheet.set_title(f"Commissioning of {legible(found.node)}")
    sheet.set_producer("Segnode")
    sheet.set_creation_date(datetime.fromtimestamp(int(found.ended_at), tz=UTC))
    sheet.add_page()
    _summary(sheet, found)
    for study in found.studies:
        _study(sheet, study)
    _models(sheet, found)
    _partners(sheet, found.partners)
    _configuration(sheet, found)
    return bytes(sheet.output())


def _summary(sheet: _Sheet, found: SignOff) -> None:
    checks = list(found.every_check())
    failed = [check for _, check in checks if not check.passed]
    sheet.title_line(f"Commissioning of {found.node}")
    words = f"FAILED: {len(failed)} of {len(checks)} checks" if failed or not checks else "PASSED: every check"
    sheet.verdict(words, good=found.passed)
    facts = [
        ("Software", f"Segnode {found.version}"),
        ("Machine", found.machine),
        ("Begun, ended", f"{_clock(found.started_at)}, {_clock(found.ended_at)}"),
        ("Results go to", found.pacs),
        ("Configuration", f"revision {found.revision}, SHA-256 {found.configuration_sha256}"),
    ]
    sheet.grid((("", 22), ("", 78)), facts)
    sheet.words(_SYNTHETIC)
    sheet.heading("Checks")
    rows = [(task or "node", check.name, _word(check), check.words) for task, check in checks]
    sheet.grid((("About", 18), ("Check", 24), ("", 11), ("What was seen", 47)), rows)
    sheet.heading("Taken over", room=90)
    sheet.words(_CONFIRMS if found.passed else _CONFIRMS_FAILURE)
    sheet.signatures()


def _study(sheet: _Sheet, study: Study) -> None:
    sheet.add_page()
    sheet.title_line(study.task.replace("_", " ").capitalize())
    sheet.words(f"Synthetic patient {study.patient}, seed {study.seed}, {study.images} images")
    sheet.words(f"Study {study.study_uid}", size=8.5, colour=_PALE)
    sheet.words(f"Route {study.route or '-'}, model {study.model or '-'}; SEG {study.how or 'none'}")
    sheet.heading("Time")
    rows = [(str(one["step"]), str(one["of"]), str(one["state"]), _seconds(one["seconds"]), str(one["note"]))
            for one in study.timeline]
    rows += [(f"model: {step}", study.model, "done", _seconds(took), "") for step, took in study.seconds.items()]
    sheet.grid((("Step", 22), ("Of", 20), ("State", 12), ("Seconds", 12), ("", 34)), rows)
    if study.agreement:
        sheet.heading("Against the truth")
        columns = (("Region", 30), ("Dice", 12), ("Model's mean", 18), ("At least", 12), ("ml", 14), ("True ml", 14))
        sheet.grid(columns, [_agreement(one) for one in study.agreement])
    sheet.heading("Checks")
    sheet.grid((("Check", 26), ("", 12), ("What was seen", 62)), [(c.name, _word(c), c.words) for c in study.checks])
    if study.pictures:
        sheet.heading("As it came back", room=_PICTURE + 12)
        sheet.pictures(study.pictures)


def _agreement(one: Agreement) -> tuple[str, ...]:
    known = (f"{one.mean:.3f}", f"{one.least:.3f}") if one.mean is not None and one.least is not None else ("-", "-")
    return (one.region, f"{one.dice:.3f}", *known, f"{one.found_ml:.2f}", f"{one.true_ml:.2f}")


def _models(sheet: _Sheet, found: SignOff) -> None:
    sheet.add_page()
    sheet.heading("Models")
    columns = (("Model", 20), ("Task", 18), ("Version", 12), ("For", 16), ("SHA-256", 34))
    keys = ("model", "task", "version", "intended_use", "sha256")
    sheet.grid(columns, [[str(one[key]) for key in keys] for one in found.models])


def _partners(sheet: _Sheet, partners: Sequence[Partner]) -> None:
    for one in partners:
        sheet.heading(f"{one.name}: {one.what}")
        sheet.words(one.words, colour=_DARK if one.answers else _RED)
        rows = [(name.replace("_", " "), ", ".join(taken)) for name, taken in one.accepted.items()]
        if rows:
            sheet.ln(1)
            sheet.grid((("Accepted", 40), ("In transfer syntax", 60)), rows)


def _configuration(sheet: _Sheet, found: SignOff) -> None:
    sheet.add_page()
    sheet.heading("Configuration")
    sheet.words("What the files say, without comments, passwords and tokens.")
    for name, text in found.configuration.items():
        sheet.heading(name, room=20)
        sheet.plain(text)


def _word(check: Check) -> str:
    return "passed" if check.passed else "failed"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
