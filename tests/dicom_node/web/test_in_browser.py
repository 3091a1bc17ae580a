"""The console in Chromium, as a person uses it; `make viewers` runs this (SCREENSHOTS=folder keeps what it showed)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ohif
import pytest
import uvicorn
from browsing import PASSWORD

from dicom_node.assembly import Parts
from dicom_node.network.ports import free_port
from dicom_node.web.app import create_app, open_console
from dicom_node.web.passwords import Passwords
from storage.lifecycle import JobState

pytestmark = [pytest.mark.viewer, pytest.mark.peer, pytest.mark.slow]

PLACES = {"overview": "/", "studies": "/studies", "study": "/studies/1.2.3", "deliveries": "/deliveries",
          "models": "/models", "model": "/models/bright", "about": "/about", "account": "/account", "users": "/users"}
PATIENCE_MS = 120_000
WIDE, PHONE = 1280, 390


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with ohif.chromium() as browser:
        yield browser


@pytest.fixture
def site(parts: Parts, people: dict[str, int], passwords: Passwords) -> Iterator[str]:
    """The address of a console."""
    stop, port = threading.Event(), free_port()
    app = create_app(open_console(parts, stop, passwords=passwords))
    config = uvicorn.Config(app, port=port, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    stop.set()
    server.should_exit = True
    thread.join()


@pytest.fixture
def enter(browser: Any, site: str) -> Iterator[Callable[..., Any]]:
    """`enter(name, width, scheme)` gives a page of somebody who has signed in; it must complain of nothing."""
    complaints: list[str] = []
    contexts = []

    def make(name: str, width: int = WIDE, scheme: str = "light") -> Any:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, base_url=site)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
        page.goto("/", wait_until="domcontentloaded")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Overview").wait_for()
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == [], "also what the content security policy keeps out would stand here"


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")])
def test_every_page_fits_its_window(enter: Callable[..., Any], story: Parts, width: int, scheme: str) -> None:
    page = enter("ada", width, scheme)
    for name, place in PLACES.items():
        page.goto(place, wait_until="domcontentloaded")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"console-{name}-{scheme}-{width}.png", full_page=True)


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
