"""The PDF holds every word, and the same document gives the same bytes."""

from __future__ import annotations

from datetime import date

import pytest
from printed import pages, words

from dicom_node.conformance.document import Document, Section, Table
from dicom_node.conformance.pdf import to_pdf

TABLE = Table.of("Codes", ("Code", "Meaning"), [("0xA700 – 0xA7FF", "out of resources"), ("0x0000", "success")])
CHAPTERS = (Section("First", ("A paragraph.",)), Section("Second", (TABLE,), (Section("Deeper"),)))
DOCUMENT = Document("Statement of X", (("Product", "Segnode"),), CHAPTERS)


@pytest.fixture(scope="module")
def drawn() -> bytes:
    return to_pdf(DOCUMENT, date(2026, 1, 2))


def test_everything_is_in_it(drawn: bytes) -> None:
    text = words(drawn)
    for said in ("Statement of X", "Product: Segnode", "1 First", "A paragraph.", "2.1 Deeper",
                  "0xA700 - 0xA7FF", "out of resources"):  # fmt: skip
        assert said in text


def test_each_chapter_begins_a_page(drawn: bytes) -> None:
    assert pages(drawn) == 3


def test_the_same_document_gives_the_same_bytes(drawn: bytes) -> None:
    to_pdf.cache_clear()
    assert to_pdf(DOCUMENT, date(2026, 1, 2)) == drawn
