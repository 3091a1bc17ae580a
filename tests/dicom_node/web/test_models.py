"""The page Models and its verbs in the API; dicom_node.web.pages.models, dicom_node.web.api.models."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from browsing import Browser

from dicom_node.assembly import Parts

MakeBrowser = Callable[[str], Browser]


@pytest.fixture
def otto(signed_in: MakeBrowser) -> Browser:
    """An operator."""
    return signed_in("otto")


def text_of(answer) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.text).split()))


def test_everybody_sees_what_there_is_and_what_it_is_for(story: Parts, signed_in: MakeBrowser) -> None:
    vera = signed_in("vera")
    assert "bright threshold, threshold liver tumour 1 demonstration everything no files 1 1 waits 5.0 s" in text_of(
        vera.get("/models"))
    page = text_of(vera.get("/models/bright"))
    assert "no result of it is for a patient" in page
    assert "Verify" not in page
    assert vera.get("/models/nobody").status_code == 404


def test_an_operator_has_the_files_read_again(otto: Browser) -> None:
    assert otto.fill_in("/models/bright/verify", "/models/bright").status_code == 303
    page = text_of(otto.get("/models/bright"))
    assert "Every file of bright is as it was recorded." in page
    assert "by otto: Every file is as it was recorded." in page


def test_programs_read_and_verify(program: MakeBrowser) -> None:
    otto = program("otto")
    assert otto.get("/api/v1/models").json()[0]["verified"] is None
    checked = otto.post("/api/v1/models/bright/verify").json()
    assert (checked["by"], checked["fault"]) == ("otto", "")
    one = otto.get("/api/v1/models/bright").json()
    assert one["verified"] == checked
    assert one["card"]["facts"]["Intended use"] == "demonstration"
    assert otto.get("/api/v1/models/nobody").status_code == 404
