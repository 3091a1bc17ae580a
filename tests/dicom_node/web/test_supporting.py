"""The support bundle from the page About and by a program: for administrators, audited, without patients."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from xml.etree.ElementTree import Element
from zipfile import ZipFile

import pytest
from browsing import Browser

from dicom_node.assembly import Parts

MakeBrowser = Callable[[str], Browser]
PLACES = ["/about/support-bundle", "/api/v1/support-bundle"]


def assert_bundle(content: bytes) -> None:
    with ZipFile(BytesIO(content)) as bundle:
        texts = [bundle.read(name).decode() for name in bundle.namelist()]
    assert len(texts) > 10
    assert not [text for text in texts if "Jane" in text or "P-17" in text or "19700101" in text]


def test_an_administrator_takes_it_from_the_page_and_by_a_program(
    story: Parts, signed_in: MakeBrowser, program: MakeBrowser, audited: Callable[[], list[Element]]
) -> None:
    page = signed_in("ada")
    assert 'href="/about/support-bundle"' in page.get("/about").text
    for browser, place in zip((page, program("ada")), PLACES, strict=True):
        answer = browser.get(place)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/zip"
        assert_bundle(answer.content)
    taken = [
        message.find("ActiveParticipant").get("UserID")
        for message in audited()
        if message.find("ParticipantObjectIdentification").get("ParticipantObjectID") == "urn:segnode:support-bundle"
    ]
    assert taken == ["ada", "ada"]


@pytest.mark.parametrize("place", PLACES)
def test_nobody_else_does(signed_in: MakeBrowser, program: MakeBrowser, place: str) -> None:
    otto = program("otto") if place.startswith("/api") else signed_in("otto")
    assert otto.get(place).status_code == 403
    assert "/about/support-bundle" not in signed_in("otto").get("/about").text
