"""What binds every answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browsing import Browser

from dicom_node.web import shield
from dicom_node.web.app import create_app
from dicom_node.web.rendering import HERE
from dicom_node.web.shield import HEADERS, LARGEST_BODY, Shield

TEMPLATES = sorted((HERE / "templates").glob("*.html"))


@pytest.mark.parametrize("place", ["/healthz", "/sign-in", "/gone", "/", "/static/console.css", "/static/gone"])
def test_every_answer_bears_the_headers(visitor: Browser, place: str) -> None:
    answer = visitor.get(place)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers["Cache-Control"] == ("no-cache" if "static" in place else "no-store")
    assert "Strict-Transport-Security" not in answer.headers


def test_what_nobody_foresaw_bears_them_too_and_tells_nothing(visitor: Browser, monkeypatch, caplog) -> None:
    def fault(*_):
        raise RuntimeError("Doe^Jane")

    monkeypatch.setattr("dicom_node.web.health._silent", fault)
    answer = visitor.get("/readyz")
    assert (answer.status_code, answer.headers["X-Frame-Options"]) == (500, "DENY")
    assert "Doe" not in answer.text


@pytest.mark.parametrize("place", ["/healthz", "/", "/sign-in", "/gone", "/static/console.css"])
def test_who_asks_for_the_head_alone_is_answered_without_content(visitor: Browser, place: str) -> None:
    """Load balancers and monitors do (RFC 9110 9.3.2)."""
    whole, head = visitor.get(place, follow_redirects=False), visitor.head(place, follow_redirects=False)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert {name: head.headers.get(name) for name in HEADERS} == HEADERS


def test_the_head_of_what_has_no_end_is_an_answer(program) -> None:
    head = program("vera").head("/api/v1/changes")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"].startswith("text/event-stream")


def test_what_changes_something_has_no_head(visitor: Browser) -> None:
    assert visitor.head("/sign-out").status_code == 405


def test_over_tls_browsers_are_told_to_stay_there(console) -> None:
    browser = Browser(Shield(create_app(console), secure=True))
    assert browser.get("/healthz").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_no_script_or_style_is_allowed_but_our_files() -> None:
    assert "unsafe" not in shield.POLICY
    assert "default-src 'none'" in shield.POLICY


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_page_has_a_script_or_style_of_its_own_or_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\son[a-z]+\s*=|\sstyle\s*=|<style|javascript:", text)
    assert not re.search(r"<script(?! src=\"/static/)", text)
    assert not re.search(r"(src|href|action)=\"(https?:)?//", text)


def test_what_is_too_large_is_not_taken(visitor: Browser) -> None:
    assert visitor.post("/sign-in", content=b"x" * (LARGEST_BODY + 1)).status_code == 413


def test_also_where_its_size_was_not_announced(visitor: Browser) -> None:
    def parts():
        for _ in range(LARGEST_BODY // 65536 + 2):
            yield b"x" * 65536

    answer = visitor.post("/sign-in", content=parts(), headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code >= 400
