"""The console at an address of its own, and people who use it through Chromium: fixtures for `make viewers`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import ohif
import pytest
import uvicorn
from browsing import PASSWORD

from dicom_node.assembly import Parts
from dicom_node.network.ports import free_port
from dicom_node.web.app import create_app, open_console
from dicom_node.web.passwords import Passwords

PATIENCE_MS = 120_000
WIDE, PHONE = 1280, 390
Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
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


@contextmanager
def browsing(chromium: Any, site: str, width: int = WIDE, scheme: str = "light", **more: Any) -> Iterator[Any]:
    """A page in a browser of its own, whose cookies may be given (`storage_state`); it must complain of nothing."""
    complaints: list[str] = []
    size = {"width": width, "height": 900}
    context = chromium.new_context(color_scheme=scheme, viewport=size, base_url=site, **more)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda told: complaints.append(told.text) if _complains(told) else None)
    yield page
    context.close()
    assert complaints == [], f"also what the content security policy keeps out stands here: {complaints}"


def _complains(told: Any) -> bool:
    """Chromium also says that a page's own status is an error's; what there is to say of that stands on the page.

    Beside a file that is no page it looks for an icon by itself.
    """
    about = told.location["url"]
    expected = told.text.startswith("Failed to load") and (about == told.page.url or about.endswith("/favicon.ico"))
    return told.type == "error" and not expected


@pytest.fixture
def come(chromium: Any, site: str) -> Iterator[Visit]:
    """`come(width, scheme)` gives a page of somebody who has not signed in."""
    with ExitStack() as stack:
        yield lambda width=WIDE, scheme="light": stack.enter_context(browsing(chromium, site, width, scheme))


def sign_in(page: Any, name: str, password: str = PASSWORD) -> None:
    """Fill in the form that is shown."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def enter(come: Visit) -> Visit:
    """`enter(name, width, scheme)` gives a page of somebody who has signed in."""

    def make(name: str, width: int = WIDE, scheme: str = "light") -> Any:
        page = come(width, scheme)
        page.goto("/", wait_until="domcontentloaded")
        sign_in(page, name)
        page.get_by_role("heading", name="Overview").wait_for()
        return page

    return make
