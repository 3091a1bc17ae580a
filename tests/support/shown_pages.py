"""Which page of the console each test shows; so that a page without a test is found. Fixtures for `make viewers`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from console_site import browsing, sign_in
from fastapi.routing import APIRoute
from lived_in import LivedIn
from starlette.routing import compile_path

from dicom_node.web.app import ROUTERS

Test = TypeVar("Test", bound=Callable[..., None])
PAGES = "dicom_node.web.pages."
SHOWN: dict[str, str] = {}


def shows(*places: str) -> Callable[[Test], Test]:
    """These pages, or files that a page leads to, are shown by the test: it has to open each of them."""

    def note(test: Test) -> Test:
        SHOWN.update(dict.fromkeys(places, test.__name__))
        return test

    return note


def pages() -> set[str]:
    """Every address of the console that can be opened in a browser."""
    return {
        route.path
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in route.methods and route.endpoint.__module__.startswith(PAGES)
    }


Open = Callable[..., Any]
Take = Callable[[Any, Any], bytes]


@pytest.fixture
def opened(lived_in: LivedIn, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """What was opened in the test's browsers: in the end all that it promised to show."""
    found: list[str] = []
    failed = request.session.testsfailed
    yield found
    paths = [url.removeprefix(lived_in.site).partition("?")[0] for url in found]
    promised = [place for place, test in SHOWN.items() if test == request.function.__name__]
    unseen = [place for place in promised if not any(map(compile_path(place)[0].match, paths))]
    assert unseen == [] or request.session.testsfailed > failed, unseen


@pytest.fixture
def stranger(chromium: Any, lived_in: LivedIn, opened: list[str]) -> Iterator[Open]:
    """`stranger()` gives a page of somebody who has not signed in; keywords are the browser's."""
    with ExitStack() as stack:

        def make(**more: Any) -> Any:
            page = stack.enter_context(browsing(chromium, lived_in.site, **more))
            page.context.on("request", lambda asked: opened.append(asked.url) if asked.method == "GET" else None)
            return page

        yield make


@pytest.fixture
def take(opened: list[str]) -> Take:
    """`take(page, link)` gives the file that a link leads to."""

    def click(page: Any, link: Any) -> bytes:
        with page.expect_download() as waiting:
            link.click()
        opened.append(waiting.value.url)
        return Path(waiting.value.path()).read_bytes()

    return click


@pytest.fixture(scope="module")
def session(chromium: Any, lived_in: LivedIn) -> dict[str, Any]:
    """The cookies of Ada, who has signed in."""
    with browsing(chromium, lived_in.site) as page:
        page.goto("/")
        sign_in(page, "ada")
        page.get_by_role("heading", name="Overview").wait_for()
        state: dict[str, Any] = page.context.storage_state()
        return state


@pytest.fixture
def page(stranger: Open, session: dict[str, Any]) -> Any:
    """Ada's."""
    return stranger(storage_state=session)


def keep(page: Any, name: str) -> None:
    """Save what is shown into the folder SCREENSHOTS, where that is set."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"page-{name}.png", full_page=True)


def words(shown: Any) -> str:
    """The text of what is shown, on one line."""
    return " ".join(shown.inner_text().split())
