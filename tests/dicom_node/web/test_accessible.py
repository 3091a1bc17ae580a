"""Every page of the console for everybody: judged by axe-core, in light and dark, and as wide as a telephone.

`make viewers` runs this (SCREENSHOTS=folder keeps what was shown).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from console_site import PHONE, WIDE, Visit

from dicom_node.assembly import Parts
from dicom_node.configuring.changes import Author, change
from storage.people.tickets import TicketKind

if TYPE_CHECKING:
    from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.viewer, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(900)]

PLACES = {
    "overview": "/", "studies": "/studies", "study": "/studies/1.2.3", "not-routed": "/studies/1.2.4", "try": "/try",
    "routing": "/routing", "route": "/routing/edit?route=everything", "new-route": "/routing/edit",
    "routing-history": "/routing/history", "routing-revision": "/routing/history/1",
    "peers": "/peers", "peer": "/peers/peers/pacs", "share": "/peers/destinations/share", "new-peer": "/peers/new",
    "peer-history": "/peers/history", "peer-revision": "/peers/history/1", "models": "/models",
    "model": "/models/bright", "models-history": "/models/history", "models-revision": "/models/history/1",
    "deliveries": "/deliveries", "about": "/about", "conformance": "/about/conformance",
    "audit": "/audit", "account": "/account", "users": "/users", "problem": "/users/gone",
}  # fmt: skip
FROM_OUTSIDE = {"sign-in": "/sign-in", "welcome": "/welcome?link={link}", "spent-link": "/welcome?link=spent"}
SHOWN = pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")])
# On a telephone nothing scrolls sideways, and nowhere does anything stand out of its box.
TOO_WIDE = """() => [...document.querySelectorAll("body, body *")].filter(one => {
    const drawn = one.clientWidth > 1 && one.checkVisibility();
    if (!drawn || one.closest("svg, select, input, textarea, thead, .unseen, .skip")) return false;
    if (one.scrollWidth <= one.clientWidth + 1) return false;
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
    return scrolls ? innerWidth < 700 : getComputedStyle(one).display !== "inline";
}).map(one => one.outerHTML.slice(0, 120))"""
# Pictures apart: their file is not there.
UNFOLD = "document.querySelectorAll('details:not(.pictures)').forEach(one => { one.open = true; })"
GRAVE = ("serious", "critical")
PACS = "peers:  # whom we ask\n  # the archive\n  pacs: {ae_title: PACS, host: 127.0.0.1, port: 4242}  # room 3\n"
DIM = "  dim: {task: liver_tumour, kind: threshold, lower: 50, upper: 3000}\n"


@pytest.fixture
def conf(conf: Path) -> Path:
    """With an archive among the peers, and a model that could be the other's shadow."""
    for name, more in (("node.yaml", PACS), ("models.yaml", DIM)):
        (conf / name).write_text((conf / name).read_text() + more)
    return conf


@pytest.fixture
def node(story: Parts) -> Parts:
    """Two studies, and a change of each file that has a history."""
    for name in ("node.yaml", "routes.yaml", "models.yaml"):
        change(story, name, lambda text: f"{text}# looked at\n", f"{name} changed", Author(200.0))
    return story


@pytest.fixture
def axe() -> Axe:
    from axe_playwright_python.sync_playwright import Axe  # of the extra `viewers`

    return Axe()


def troubles(axe: Axe, page: Any, name: str) -> list[str]:
    """What axe-core finds grave on the page that is shown, and what is wider than its place."""
    if folder := os.environ.get("SCREENSHOTS"):
        scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
        width = page.viewport_size["width"]
        page.screenshot(path=Path(folder) / f"console-{name}-{scheme}-{width}.png", full_page=True)
    found = [
        f"{name}: {one['id']}: {node['target']}: {node['any'][0]['message'] if node['any'] else one['help']}"
        for one in axe.run(page).response["violations"]
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]
    return found + [f"{name}: too wide: {one}" for one in page.evaluate(TOO_WIDE)]


def troubles_at(axe: Axe, page: Any, places: dict[str, str]) -> list[str]:
    found = []
    for name, place in places.items():
        page.goto(place, wait_until="domcontentloaded")
        page.evaluate(UNFOLD)
        found += troubles(axe, page, name)
    return found


@SHOWN
def test_every_page(node: Parts, axe: Axe, enter: Visit, width: int, scheme: str) -> None:
    assert troubles_at(axe, enter("ada", width, scheme), PLACES) == []


@SHOWN
def test_what_stands_before_signing_in(parts: Parts, axe: Axe, come: Visit, width: int, scheme: str) -> None:
    with parts.database.transaction() as tx:
        link = tx.tickets.issue(TicketKind.LINK, None, time.time(), lasts_s=3600.0)
    places = {name: place.format(link=link) for name, place in FROM_OUTSIDE.items()}
    assert troubles_at(axe, come(width, scheme), places) == []


@SHOWN
def test_what_forms_answer(
    node: Parts, axe: Axe, enter: Visit, ct_series: list[Path], width: int, scheme: str
) -> None:
    page = enter("otto", width, scheme)
    page.goto("/peers", wait_until="domcontentloaded")
    page.get_by_role("button", name="Try share").click()
    page.get_by_text("is not there, or cannot be written").wait_for()
    found = troubles(axe, page, "peers-called")
    page.goto("/routing", wait_until="domcontentloaded")
    page.get_by_label("DICOM files, or a zip of them").set_input_files(ct_series)
    page.get_by_role("button", name="Look at them").click()
    page.get_by_role("heading", name="What fires, and why").wait_for()
    found += troubles(axe, page, "routing-judged")
    page.goto("/routing/edit?route=everything", wait_until="domcontentloaded")
    page.get_by_role("button", name="Dry run of the YAML").click()
    page.get_by_role("heading", name="would change").wait_for()
    found += troubles(axe, page, "route-rehearsed")
    page.goto("/try", wait_until="domcontentloaded")
    page.get_by_label("A zip of DICOM files").set_input_files(__file__)
    page.get_by_role("button", name="Bring it").click()
    page.get_by_role("heading", name="Skipped").wait_for()
    assert found + troubles(axe, page, "try-skipped") == []


def test_what_is_wrong_would_be_found(axe: Axe, come: Visit) -> None:
    page = come(PHONE)
    page.goto("/sign-in", wait_until="domcontentloaded")
    page.evaluate("document.querySelectorAll('label').forEach(label => label.remove())")
    page.evaluate("document.querySelector('h1').append('x'.repeat(200))")
    found = " ".join(troubles(axe, page, "sign-in-spoilt"))
    assert "label" in found
    assert "too wide" in found
