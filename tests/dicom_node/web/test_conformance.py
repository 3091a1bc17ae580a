"""The statement in the console: read on a page, taken as a file, told to programs.

dicom_node.web.pages.conformance, dicom_node.web.api.conformance
"""

from __future__ import annotations

from collections.abc import Callable

from browsing import Browser

MakeBrowser = Callable[[str], Browser]


def test_everybody_who_has_signed_in_reads_it(signed_in: MakeBrowser) -> None:
    vera = signed_in("vera")
    assert 'href="/about/conformance"' in vera.get("/about").text
    page = vera.get("/about/conformance").text
    assert "<h1>DICOM conformance statement of SEGNODE</h1>" in page
    assert '<h2 id="s-3">3 Networking</h2>' in page
    assert '<a href="#s-3">3 Networking</a>' in page
    row = '<td data-name="SOP class">CT Image Storage</td><td data-name="UID">1.2.840.10008.5.1.4.1.1.2</td>'
    assert row in page


def test_it_is_taken_away_as_a_file(signed_in: MakeBrowser) -> None:
    vera = signed_in("vera")
    text, printed = vera.get("/about/conformance.md"), vera.get("/about/conformance.pdf")
    assert text.headers["Content-Disposition"] == 'attachment; filename="conformance.md"'
    assert text.text.startswith("# DICOM conformance statement of SEGNODE\n")
    assert printed.headers["Content-Type"] == "application/pdf"
    assert printed.content.startswith(b"%PDF-")


def test_programs_get_its_contexts_and_the_same_documents(program: MakeBrowser) -> None:
    vera = program("vera")
    told = vera.get("/api/v1/conformance").json()
    (echo,) = [one for one in told["accepted"] if one["uid"] == "1.2.840.10008.1.1"]
    assert echo["role"] == "SCP"
    assert told["document"]["sections"][2]["title"] == "Networking"
    text = vera.get("/api/v1/conformance", params={"format": "markdown"})
    assert text.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert vera.get("/api/v1/conformance", params={"format": "word"}).status_code == 422
