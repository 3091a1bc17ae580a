"""The console in Chromium, as a person uses it; `make viewers` runs this (SCREENSHOTS=folder keeps what it showed)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dicom_node.assembly import Parts
from storage.lifecycle import JobState

pytestmark = [pytest.mark.viewer, pytest.mark.peer, pytest.mark.slow]


def test_a_page_follows_what_happens_and_keeps_what_a_person_is_at(enter: Callable[..., Any], story: Parts) -> None:
    page = enter("otto")
    page.goto("/studies/1.2.3", wait_until="domcontentloaded")
    page.locator("#history summary").click()
    with story.database.transaction() as tx:
        tx.journal.add(time.time(), "note", "something new has happened", study="1.2.3")
    page.get_by_text("something new has happened").wait_for()
    assert page.evaluate("document.activeElement.closest('details')?.id") == "history"


def test_what_ended_badly_goes_again_by_a_button(enter: Callable[..., Any], story: Parts) -> None:
    page = enter("otto")
    page.goto("/studies/1.2.3", wait_until="domcontentloaded")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("status").get_by_text("2 jobs and 1 delivery go again.").wait_for()
    with story.database.reading() as tx:
        assert tx.jobs.get("job-1").state is JobState.PENDING


def test_by_keyboard_alone(enter: Callable[..., Any]) -> None:
    page = enter("vera")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_pictures_are_scrolled_by_keyboard(enter: Callable[..., Any], place: str) -> None:
    page = enter("vera")
    page.goto(place.partition("/pictures")[0], wait_until="domcontentloaded")
    page.locator(".pictures summary").click()
    page.get_by_text("1 of 2: Liver").wait_for()
    page.locator(".pictures img").evaluate("image => image.decode()")
    page.get_by_label("Slice").press("ArrowRight")
    page.get_by_text("2 of 2: Liver").wait_for()
    assert page.get_by_role("img", name="Slice 2 of 2: Liver").count() == 1
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / "console-pictures.png", full_page=True)
