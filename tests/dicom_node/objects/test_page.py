"""The printed page: one where reports say the rest, always the same bytes, and whatever the letters, legible."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

import pytest
from PIL import Image
from printed import pages, words

from dicom_node.objects.page import BESIDE_TABLES, MAX_ROWS, UNSHOWN, Page, Row, Table, draw, legible

PAGE = Page(
    title="Nodules on CT: findings by software",
    mark="RESEARCH - not for clinical use",
    facts=[("Patient", "Phantom, Segnode"), ("Study", "")],
    pictures=[Image.new("RGB", (900, 600), (10, 20, 30))],
    columns=[("Finding", 60.0), ("Volume, mL", 30.0)],
    rows=[Row((255, 255, 0), ("Nodule 1", "0.52"))],
    notes=["Two images were repeats and were left out."],
    closing=["This page was written by software.", "nodule-net 3.0"],
    created_at=1_763_900_000.0,
)


def test_it_says_all_that_it_is_given() -> None:
    said = words(draw(PAGE))
    for text in (PAGE.title, PAGE.mark, "Phantom, Segnode", "Nodule 1", "0.52", *PAGE.notes, *PAGE.closing):
        assert text in said


def test_the_mark_stands_in_large_letters() -> None:
    pdf = draw(replace(PAGE, pictures=[]))
    drawn = b"".join(zlib.decompress(s) for s in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL))
    before = drawn[:drawn.index(b"(RESEARCH")]
    assert float(re.findall(rb"([\d.]+) Tf", before)[-1]) == 20


def test_the_same_page_gives_the_same_bytes() -> None:
    assert draw(PAGE) == draw(PAGE)


def test_it_bears_the_jobs_date_and_not_todays() -> None:
    assert b"/CreationDate (D:20251123121320" in draw(PAGE)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 9])
def test_it_stays_one_page(count: int) -> None:
    full = replace(PAGE, pictures=PAGE.pictures * count, rows=list(PAGE.rows) * 60, notes=list(PAGE.notes) * 80)
    assert pages(draw(full)) == 1


def test_rows_and_notes_that_find_no_room_are_counted() -> None:
    said = words(draw(replace(PAGE, rows=list(PAGE.rows) * 60, notes=list(PAGE.notes) * 80)))
    assert said.count("Nodule 1") == MAX_ROWS
    assert "and 44 more, in the measurement report" in said
    left_out = int(re.search(r"and (\d+) more notes, in the summary report", said)[1])
    assert said.count(PAGE.notes[0]) == 80 - left_out


def test_without_a_report_what_finds_no_room_stands_on_pages_after_it() -> None:
    rows = [Row((255, 255, 0), (f"Nodule {n}.", "0.52")) for n in range(1, 91)]
    notes = [f"Note {n} of the reader." for n in range(1, 201)]
    pdf = draw(replace(PAGE, rows=rows, notes=notes, reported=False))
    said = words(pdf)
    assert all(said.count(text) == 1 for text in (*(row.cells[0] for row in rows), *notes))
    assert all(text in said for text in ("more, on the next page", "more notes, on the next page"))
    assert "report," not in said
    assert pages(pdf) == said.count(PAGE.mark) == said.count(PAGE.closing[0]) > 2
    assert pages(draw(replace(PAGE, reported=False))) == 1


TABLE = Table([("2025-01-07", 30.0)], [Row(None, ("1.50; 10.0",))] * 8, "and 3 earlier dates, not shown here")


def test_a_note_longer_than_any_page_ends_in_dots() -> None:
    full = replace(PAGE, rows=[Row(None, (f"Nodule {n}", "1")) for n in range(MAX_ROWS)], reported=False)
    pdf = draw(replace(full, notes=["W" * 100_000, "and a short one"]))
    assert pages(pdf) == 2
    assert "W..." in words(pdf).replace(" ", "")
    assert "and a short one" in words(pdf)


def test_further_tables_stand_on_the_page_with_what_they_leave_out() -> None:
    pdf = draw(replace(PAGE, tables=[TABLE]))
    said = words(pdf)
    assert said.index("Nodule 1") < said.index("2025-01-07") < said.index("1.50; 10.0") < said.index(TABLE.left_out)
    assert said.index(TABLE.left_out) < said.index(PAGE.notes[0])
    assert pdf == draw(replace(PAGE, tables=[TABLE]))


def test_a_full_page_with_further_tables_keeps_room_for_notes() -> None:
    pdf = draw(replace(PAGE, pictures=PAGE.pictures * 4, facts=PAGE.facts * 4, rows=list(PAGE.rows) * 60,
                       notes=list(PAGE.notes) * 80, tables=[TABLE, replace(TABLE, rows=TABLE.rows[:2], left_out="")]))
    pictures, rows = BESIDE_TABLES
    assert pages(pdf) == 1
    assert pdf.count(b"/Subtype /Image") == 1, "the same picture is held once"
    assert words(pdf).count("Nodule 1") == rows
    assert f"and {60 - rows} more, in the measurement report" in words(pdf)
    assert words(pdf).count(PAGE.notes[0]) >= 4
    assert pictures < 4


def test_a_table_without_rows_is_not_there() -> None:
    assert draw(replace(PAGE, tables=[replace(TABLE, rows=[])])).count(b"2025-01-07") == 0


def test_a_long_fact_ends_in_dots() -> None:
    assert re.search(r"x{10,}\.\.\.", words(draw(replace(PAGE, facts=[("Study", "x" * 200)]))))


@pytest.mark.parametrize(("text", "shown"), [
    ("Müller, Jörg", "Müller, Jörg"),
    ("Mu\u0308ller", "Müller"),
    ("Dvořák", "Dvorák"),
    ("Wałęsa", f"Wa?esa {UNSHOWN}"),
    ("山田, 太郎", UNSHOWN),
    ("Иванов 3", f"?????? 3 {UNSHOWN}"),
    ("a\nb\tc", "abc"),
    ("", ""),
])
def test_letters_that_the_page_lacks_are_told(text: str, shown: str) -> None:
    assert legible(text) == shown


def test_any_letters_can_be_drawn() -> None:
    strange = "山田 Ω ł ‘’ – … 🙂 \u202e"
    drawn = draw(replace(PAGE, title=strange, mark=strange, facts=[(strange, strange)], notes=[strange],
                         rows=[Row((1, 2, 3), (strange, strange))], closing=[strange]))
    assert pages(drawn) == 1
